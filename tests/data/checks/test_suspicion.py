"""Ordinary names of classes are accepted; people, splits and recordings are not."""

from __future__ import annotations

from collections.abc import Sequence

import pytest
from made_folders import folders

from fer_tune.data.checks.suspicion import ClassFolder, Suspicion, suspicion

ORDINARY = {
    "digits 0 to 6": "0 1 2 3 4 5 6",
    "digits 1 to 7": "1 2 3 4 5 6 7",
    "two digits": "01 02 03 04 05 06 07 08",
    "two classes": "happy sad",
    "FER2013": "angry disgust fear happy neutral sad surprise",
    "adjectives": "angry disgusted fearful happy neutral sad surprised",
    "capitals": "Anger Contempt Disgust Fear Happy Sadness Surprise",
    "German": "wütend ekel angst glücklich neutral traurig überrascht",
    "French": "colère dégoût peur joie neutre tristesse surprise",
    "Spanish": "enojo asco miedo feliz neutral triste sorpresa",
    "Turkish": "kızgın iğrenme korku mutlu nötr üzgün şaşkın",
    "Portuguese": "raiva nojo medo alegria neutro tristeza surpresa",
    "Finnish": "viha inho pelko ilo neutraali suru yllätys",
    "Russian": "гнев отвращение страх радость нейтральный грусть удивление",
    "Greek": "θυμός αηδία φόβος χαρά λύπη έκπληξη",
    "Hebrew": "כעס גועל פחד שמחה עצב הפתעה",
    "Chinese": "生气 厌恶 害怕 高兴 中性 悲伤 惊讶",
    "Japanese": "怒り 嫌悪 恐れ 喜び 無表情 悲しみ 驚き",
    "Korean": "분노 혐오 공포 행복 중립 슬픔 놀람",
    "Arabic": "غضب اشمئزاز خوف سعادة محايد حزن مفاجأة",
    "Hindi": "क्रोध घृणा डर खुशी तटस्थ दुख आश्चर्य",
    "Thai": "โกรธ กลัว มีความสุข เศร้า ประหลาดใจ",
    "numbered": "01_happy 02_sad 03_angry",
    "faces": "happy_faces sad_faces angry_faces",
    "angles to both sides": "-30 -15 0 15 30",
    "numbered words": "class_1 class_2 class_3",
    "padded words": "class01 class02 class03 class10",
    "action units": "AU1 AU02 AU12 AU25 AU12+25",
    "codes": "AN DI FE HA NE SA SU",
    "letters and digits": "c0 c1 c2 c3 c4 c5 c6 c7 c8 c9",
    "sign language": "a b c d e f g p s z",
    "emotions of songs": "calm joyful tense sad bored amused",
    "pain": "no_pain mild_pain severe_pain",
    "levels": "level_1 level_2 level_3 level_4",
    "animals": "cat dog horse robin jay martin elephant",
    "dogs of ImageNet": "n02085620-Chihuahua n02086240-Shih_Tzu n02088094-Afghan_hound",
    "WordNet": "n01440764 n01443537 n02085620",
    "birds": "001.Black_footed_Albatross 002.Laysan_Albatross 003.Sooty_Albatross",
    "flowers": "rose lily daisy iris violet jasmine heather",
    "aircraft": "A320 A330 B737 B747 E190",
    "cars": "X5 Q7 i3 Golf_GTI Model_S",
    "banknotes": "1 2 5 10 20 50 100",
    "angles": "0 45 90 135 180",
    "gaze": "left right up down",
    "yes or no": "with_mask without_mask",
    "open": "eyes_open eyes_closed",
    "quotes": "don't-know l'amour Ärger",
    "phrases": "very happy|a little sad|crash test|test tube",
    "countries": "france germany chad jordan georgia",
    "emoji": "😀 😢 😠",
    "degrees of expressions": "happy very_happy slightly_happy sad",
    "smiles": "happy smile 1_sad 2_angry",
    "with years": "model1990s retro",
    "names of things": "ruby amber jade pearl",
    "signs of valence and arousal": "+V+A +V-A -V+A -V-A",
    "signs behind words": "valence+ valence-",
    "signs after words": "valence +|valence -",
    "limits": "pain <5|pain >5",
    "signs of languages": "c c++ c# java",
    "numbers in brackets": "emotion (1)|emotion (2)|emotion (3)",
    "old and new": "old man|new man",
    "degrees": "pain|more pain|extra pain",
    "vowel signs": "दिन दान दीन",
    "abbreviations of levels": "HV LV",
    "abbreviations of quadrants": "HH HL LH LL",
    "abbreviations of phrases": "PP NP VP",
    "abbreviations of states": "HP SD NT",
    "grades": "1+ 2+ 3+",
    "seconds": "1s 2s 3s",
    "amounts": "100ml 250ml 500ml",
    "dogs with numbers": "01_Shih-Tzu 01_marble",
}


def kind(found: Suspicion | None) -> str | None:
    return None if found is None else found.kind


@pytest.mark.parametrize("splits", [(), ("train", "test")])
@pytest.mark.parametrize("vocabulary", ORDINARY)
def test_ordinary_vocabularies_are_accepted(vocabulary: str, splits: Sequence[str]) -> None:
    text = ORDINARY[vocabulary]
    names = text.split("|" if "|" in text else None)
    for file in ("{k}.png", "{name}_{k}.png", "S{k:03d}_001_{k:08d}.png", "IMG_2021030{k}.jpg"):
        assert suspicion(folders(names, splits=splits, file=file)) is None, file


WRONG = {
    "people of KDEF": ("AF01 AF02 AM01 AM02", "people"),
    "people of CK+": ("S005 S010 S011", "people"),
    "subjects": ("subject1 subject2 subject12", "people"),
    "Subjects": ("Subject_01 Subject_02", "people"),
    "actors": ("Actor_01 Actor_02 Actor_03", "people"),
    "persons": ("person A|person B", "people"),
    "participants": ("P1 P2 P3 P17", "people"),
    "AT&T": ("s1 s2 s3 s40", "people"),
    "Versuchspersonen": ("VP01 VP02 VP03", "people"),
    "Chinese subjects": ("被试1 被试2 被试3", "people"),
    "ids": ("id_10001 id_10002", "people"),
    "people and sessions": ("S005_001 S005_002 S010_001", "people"),
    "first names": ("anne bob carla", "people"),
    "Russian names": ("николай андрей", "people"),
    "First names": ("Mehmet Ayşe Zeynep", "people"),
    "two people": ("Thomas Julia", "people"),
    "full names": ("Aaron_Eckhart Angela_Merkel Serena_Williams George_Clooney", "people"),
    "numbers beyond 99": (" ".join(f"{k:03d}_S" for k in range(88, 113)), "people"),
    "numbered names": ("01_anna 02_peter 03_maria", "people"),
    "sequences": ("001 002 003 004", "recordings"),
    "long numbers": ("0000045 0000099 0000117", "recordings"),
    "numbers with gaps": ("12 47 103 981", "recordings"),
    "clips": ("clip_1 clip_2 clip_3", "recordings"),
    "videos": ("video01 video02", "recordings"),
    "sessions": ("session 1|session 2", "recordings"),
    "new folders": ("New folder|New folder (2)|New folder (3)", "recordings"),
    "batches": ("batch 1|batch 2", "recordings"),
    "days": ("2021-03-04 2021-03-05 2021-04-01", "recordings"),
    "compact days": ("20210304 20210305", "recordings"),
    "moments": ("20190504_123455 20190504_130012", "recordings"),
    "times": ("12-30-55 12-31-07", "recordings"),
    "months": ("january april may june august", "categories"),
    "seconds since 1970": ("1589302345 1589302399", "recordings"),
    "hashes": ("9f86d081884c7d65 60303ae22b998861", "recordings"),
    "videos of YouTube": ("dQw4w9WgXcQ 9bZkp7q19f0", "recordings"),
    "splits": ("train_1 train_2 test_1", "splits"),
    "splits of a set": ("raf_train raf_test", "splits"),
    "folds": ("fold_0 fold_1 fold_2", "splits"),
    "Spanish splits": ("entrenamiento prueba", "splits"),
    "Chinese splits": ("训练集 测试集", "splits"),
    "classes and splits": ("happy_train happy_test sad_train sad_test", "splits"),
    "a stray split": ("happy sad test_old", "splits"),
    "a stray person": ("happy sad S001", "people"),
    "a stray day": ("happy sad 2021-03-04", "recordings"),
    "people and expressions": ("S001_happy S001_sad S002_happy S002_sad", "people"),
    "names and expressions": ("anne_happy anne_sad bob_happy bob_sad", "people"),
    "numbered expressions": ("happy_1 happy_2 sad_1 sad_2", "people"),
    "versions": ("aligned original", "versions"),
    "UTF-8 as cp1252": ("mutlu Ã¼zgÃ¼n", "text"),
    "UTF-8 as cp437": ("mutlu ├╝zg├╝n", "text"),
    "Cyrillic as latin-1": ("Ñ\u0081Ñ\u0082Ñ\u0080Ð°Ñ\u0085 other", "text"),
    "GBK as cp437": ("╕▀╨╦ ▒»╔╦", "text"),
    "GBK as cp1252": ("\u00b8ßÐË ±¯ÉË", "text"),
    "not decodable": ("mutlu \ufffdzg\ufffdn", "text"),
}


@pytest.mark.parametrize("layout", WRONG)
def test_everything_else_is_refused(layout: str) -> None:
    text, expected = WRONG[layout]
    names = text.split("|" if "|" in text else None)
    assert kind(suspicion(folders(names))) == expected


@pytest.mark.parametrize(
    ("folder", "files"),
    [
        ("AF01", ["AF01ANS.JPG", "AF01HAS.JPG", "AF01NES.JPG"]),  # KDEF
        ("KA", ["KA.AN1.39.tiff", "KA.HA2.40.tiff", "KA.SU3.41.tiff"]),  # JAFFE
        ("Rafd_x", ["Rafd_01_angry.jpg", "Rafd_01_happy.jpg", "Rafd_01_sad.jpg"]),
        ("qwerty", ["1-happy.png", "2-sad.png", "3-wütend.png"]),
    ],
)
def test_folders_whose_files_name_several_expressions_are_people(
    folder: str, files: list[str]
) -> None:
    names = [folder, folder.replace("01", "02") + ("" if "01" in folder else "B")]
    classes = [
        ClassFolder(
            name=name, paths=tuple(f"{name}/{file.replace(folder, name)}" for file in files)
        )
        for name in names
    ]
    found = suspicion(classes)
    assert found is not None and len(found.expressions) == 3


def test_files_that_name_their_own_class_in_other_words_are_no_people() -> None:
    paths = {"lach": "happy_{}.png", "wein": "sad_{}.png"}
    classes = [
        ClassFolder(name=name, paths=tuple(f"{name}/{file.format(k)}" for k in range(5)))
        for name, file in paths.items()
    ]
    assert suspicion(classes) is None


def test_classes_that_no_two_splits_share_are_people() -> None:
    names = {"train": ["qa", "qb", "qc"], "test": ["qd", "qe"]}
    classes = [folder for split in names for folder in folders(names[split], splits=[split])]
    assert kind(suspicion(classes)) == "people"
    assert suspicion([*classes, *folders(["both"], splits=["train", "test"])]) is None


def test_padded_numbers_are_classes_where_every_split_has_them() -> None:
    names = [f"{k:05d}" for k in range(43)]
    assert suspicion(folders(names, splits=["train", "test"])) is None
    assert kind(suspicion(folders(names))) == "recordings"


def test_numbers_that_every_split_has_are_classes_if_they_begin_low_and_have_no_gaps() -> None:
    for text in ("0 3 4 6", "3 5 7", "1 2 4 8 9"):
        assert suspicion(folders(text.split(), splits=["train", "test"])) is None
    for text in ("12 47 103", "18 23 31", "20 21 22 23", "1 903 4000", "2019 2020"):
        found = suspicion(folders(text.split(), splits=["train", "test"]))
        assert kind(found) == "recordings", text


def test_initials_are_people_unless_they_are_codes_or_words() -> None:
    for text in ("AB CD JK MW RS", "ab jk mw cd rs", "A.B. J.K.", "JRM MWT LHS BKW DRT"):
        assert kind(suspicion(folders(text.split()))) == "people", text
    for text in ("HA SA AN", "hap sad neu", "cat dog fox", "no ok", "a b c", "up on off"):
        assert suspicion(folders(text.split())) is None, text


def test_one_picture_in_each_of_many_classes_is_no_class() -> None:
    names = [f"{a}{b}" for a in "qwxz" for b in "ioua"]
    assert kind(suspicion(folders(names, pictures=1))) == "recordings"
    assert suspicion(folders(names, pictures=2)) is None


def test_labels_from_a_file_may_be_numbers_or_names_but_no_splits() -> None:
    for text in ("anne bob", "001 002", "S001 S002", "12 47 103"):
        assert suspicion(folders(text.split()), from_folders=False) is None
    assert kind(suspicion(folders(["raf_train", "raf_test"]), from_folders=False)) == "splits"
    assert kind(suspicion(folders(["Ã¼zgÃ¼n", "mutlu"]), from_folders=False)) == "text"
