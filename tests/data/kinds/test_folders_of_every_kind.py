"""Folders that sort pictures by something else than a class: refused, with the likely reason."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from kinds_writing import Kind, each, previewed, summary

from fer_tune.errors import DataError

EXPRESSIONS = "happy|sad|angry"


def misread(names: str, written: str, read: str) -> str:
    """Names in one encoding that were read in another."""
    return "|".join(name.encode(written).decode(read) for name in names.split("|"))


#: Names of folders, and the reason that the message gives.
REFUSED = {
    "weekdays": ("Monday|Tuesday|Wednesday|Friday", "days of the week"),
    "short weekdays": ("mon|tue|wed", "days of the week"),
    "Wochentage": ("Montag|Dienstag|Mittwoch", "days of the week"),
    "Chinese weekdays": ("星期一|星期二|星期三", "days of the week"),
    "months": ("January|February|March|April", "months"),
    "months of years": ("Jan_2020|Feb_2020|Mar_2020", "months"),
    "days in words": ("4 March 2021|5 March 2021", "months"),
    "days and months": ("04Mar|05Mar|06Mar", "months"),
    "years": ("2019|2020|2021", "numbers of people or recordings"),
    "years and months": ("2021-03|2021-04", "ranges or codes"),
    "times of day": ("morning|afternoon|evening", "look like times"),
    "numbered days": ("day1|day2|day3", "recordings"),
    "weeks": ("Week 1|Week 2", "recordings"),
    "points in time": ("T0|T1|T2", "recordings"),
    "initials": ("AB|CD|JK|MW|RS", "initials"),
    "small initials": ("ab|jk|mw|cd|rs", "initials"),
    "three initials": ("JRM|MWT|LHS|BKW|DRT", "initials"),
    "before and after": ("pre|post", "look like times"),
    "folds with letters": ("fold_a|fold_b", "splits"),
    "initials and numbers": ("AB1|CD2|JK1|MW3|RS2", "initials"),
    "initials with dots": ("A.B.|J.K.|M.W.", "initials"),
    "people of JAFFE": ("KA|KL|KM|KR|MK", "initials"),
    "cameras": ("cam0|cam1|cam2", "cameras or views"),
    "sides of cameras": ("camera_left|camera_right|camera_top", "cameras or views"),
    "makers of cameras": ("GoPro|iPhone|Canon", "cameras or views"),
    "folders of cameras": ("100CANON|101CANON", "cameras or views"),
    "numbers of photographs": ("DSC_0001|DSC_0002", "people"),
    "views": ("frontal|profile|half_profile", "cameras or views"),
    "addresses of devices": ("00-1B-44-11-3A-B7|00-1B-44-11-3A-B8", "random ids"),
    "addresses in a network": ("192.168.0.11|192.168.0.12", "ranges or codes"),
    "sessions": ("ses-01|ses-02", "recordings"),
    "small UUIDs": (
        "3f2504e0-4f89-11d3-9a0c-0305e82c3301|a9d1c2b4-4f89-11d3-9a0c-0305e82c3302",
        "",
    ),
    "UUIDs": ("3F2504E0-4F89-11D3-9A0C-0305E82C3301|A9D1C2B4-4F89-11D3-9A0C-0305E82C3302", "ids"),
    "hashes behind a word": ("img_9f86d081884c7d65|img_60303ae22b998861", "random ids"),
    "ids of databases": ("01ARZ3NDEKTSV4RRFFQ69G5FAV|01BX5ZZKBKACTAV9WEVGEMMVRZ", "random ids"),
    "short random ids": ("aZ3kQ9xT|bY7pL2vR|Qw4e6R8t", "random ids"),
    "ranges of ages": ("0-2|3-9|10-19|20-29", "ranges or codes"),
    "decades": ("20s|30s|40s", "ages or genders"),
    "least ages": ("18+|40+|65+", "ages or genders"),
    "ages": ("age_20|age_21|age_35", "ages or genders"),
    "ages in words": ("child|teen|adult|senior", "ages or genders"),
    "ages as numbers": ("18|23|25|31|44|52", "numbers"),
    "ages in a row": ("18|19|20|21|22", "numbers"),
    "genders": ("male|female", "ages or genders"),
    "German genders": ("Männer|Frauen", "ages or genders"),
    "letters of genders": ("M|F", "ages or genders"),
    "ages and genders": ("young_female|old_male", "ages or genders"),
    "origins": ("asian|black|white|indian", "origins"),
    "hospitals": ("hospital_A|hospital_B", "hospitals"),
    "names of hospitals": ("St_Mary_Hospital|Mayo_Clinic|Uniklinikum Jena Klinikum", "hospitals"),
    "sites": ("site1|site2|site3", "other places"),
    "centres": ("Center-01|Center-02", "other places"),
    "ranges of frames": ("frames_0-100|frames_101-200", "recordings"),
    "bare ranges": ("0001-0050|0051-0100", "ranges or codes"),
    "ranges of time": ("00.00-00.10|00.10-00.20", "dates or times"),
    "folds": ("fold1|fold2|fold3", "splits"),
    "batches": ("batch_1|batch_2", "recordings"),
    "runs": ("run-1|run-2|run-3", "recordings"),
    "sizes": ("48x48|112x112", "versions"),
    "colours": ("gray|rgb", "versions"),
    "types of files": ("jpg|png", "versions"),
    "addresses of e-mail": ("anne@x.org|b.k@y.com", "addresses"),
    "GBK text as UTF-8 as cp1252": (misread("高兴|悲伤", "utf-8", "cp1252"), "decoded wrongly"),
    "Cyrillic as cp1252": (misread("гнев|тот", "utf-8", "cp1252"), "decoded wrongly"),
    "Arabic as cp1252": (misread("سعيد|حزين", "utf-8", "latin-1"), "decoded wrongly"),
    "Cyrillic of Windows as latin-1": (
        misread("гнев|радость", "cp1251", "cp1252"),
        "decoded wrongly",
    ),
    "Cyrillic in UTF-8 read as GBK": (misread("гнев|страх", "utf-8", "gbk"), "decoded wrongly"),
    "Chinese in UTF-8 read as GBK": (misread("高兴|悲伤", "utf-8", "gbk"), "decoded wrongly"),
    "Cyrillic in UTF-8 read as cp1251": (misread("гнев|радость", "utf-8", "cp1251"), "wrongly"),
    "Cyrillic of Unix as cp1251": (misread("гнев|страх", "koi8_r", "cp1251"), "wrongly"),
    "Japanese as cp1252": (misread("怒り|悲しみ", "cp932", "cp1252"), "wrongly"),
    "traditional as simplified": (misread("高興|悲傷", "big5", "gbk"), "wrongly"),
    "question marks": ("??|???", "decoded wrongly"),
    "escapes of URLs": ("%E9%AB%98%E5%85%B4|%E6%82%B2%E4%BC%A4", "decoded wrongly"),
    "escapes of zips": ("#U9ad8#U5174|#U60b2#U4f24", "decoded wrongly"),
    "a plural": ("smile|smiles|frown", "one class under several names"),
    "an accent": ("colere|colère|joie", "one class under several names"),
    "a hyphen": ("very happy|very_happy|sad", "one class under several names"),
    "two forms of a word": ("contempt|contemptuous|neutral", "one class under several names"),
    "a misspelling": ("surprise|surprize|happy", "one class under several names"),
    "copies of folders": ("happy|happy - Copy|sad|sad (2)", "one class under several names"),
    "Turkish capitals": ("kızgın|KIZGIN|mutlu", "one class under several names"),
    "augmented folders": ("calm|calm_aug|bored|bored_aug", "one class under several names"),
    "a zero in front": ("1|2|01|02", "one class under several names"),
    "copies of copies": ("happy|happy - Copy|happy - Copy (2)|sad", "under several names"),
    "copies in Spanish": ("calm|Copia de calm|bored", "one class under several names"),
    "lists of classes": ("happy|sad|happy&sad", "several classes of one picture"),
}


@pytest.mark.parametrize("splits", ["", "train|test"])
@pytest.mark.parametrize("kind", REFUSED)
def test_folders_of_no_class_are_refused(kind: str, splits: str, tmp_path: Path) -> None:
    names, reason = REFUSED[kind]
    root = "{}/" if splits else ""
    paths = [
        f"{root.format(split)}{name}/{n}.png"
        for split in splits.split("|")
        for name in names.split("|")
        for n in range(4)
    ]
    with pytest.raises(DataError, match=r"--\w+") as stopped:
        previewed(Kind(files=paths), tmp_path)
    assert re.search(reason, stopped.value.what), stopped.value.what
    assert "--classes-as-is" in str(stopped.value)


#: Layouts, and what is imported of them.
IMPORTED = {
    "split, class, person": (
        each("{}/{}/{}/#.png", "train|test", EXPRESSIONS, "S001|S002"),
        {name: "test 8 train 8" for name in ("angry", "happy", "sad")},
    ),
    "class, person, split": (
        each("{}/{}/{}/#.png", EXPRESSIONS, "S001|S002", "train|test"),
        {name: "test 8 train 8" for name in ("angry", "happy", "sad")},
    ),
    "class, split": (
        each("{}/{}/#.png", EXPRESSIONS, "train|test"),
        {name: "test 4 train 4" for name in ("angry", "happy", "sad")},
    ),
    "person, split, class": (
        each("{}/{}/{}/#.png", "S001|S002", "train|test", "calm|bored"),
        {name: "test 8 train 8" for name in ("bored", "calm")},
    ),
    "below the name of the set": (
        each("FER Dataset v2/{}/{}/#.png", "train|test", "happy|sad"),
        {name: "test 4 train 4" for name in ("happy", "sad")},
    ),
    "mixed case": (
        each("{}/#.png", "Happy|happy |HAPPY|sad"),
        {"happy": "train 12", "sad": "train 4"},
    ),
    "Chinese": (
        each("{}/{}/#.png", "train|test", "高兴|悲伤|生气"),
        {name: "test 4 train 4" for name in ("悲伤", "生气", "高兴")},
    ),
    "Arabic": (
        each("{}/{}/#.png", "train|test", "سعيد|حزين|غاضب"),
        {name: "test 4 train 4" for name in ("حزين", "سعيد", "غاضب")},
    ),
    "Cyrillic": (
        each("{}/{}/#.png", "train|test", "радость|грусть|гнев"),
        {name: "test 4 train 4" for name in ("гнев", "грусть", "радость")},
    ),
    "hidden files of systems": (
        [
            *each("{}/#.png", "calm|bored"),
            *("__MACOSX/calm/._0.png", "calm/._0.png", "._calm", ".Trashes/501/x.png"),
            *("calm/.DS_Store", "calm/Thumbs.db", "Icon\r", "$RECYCLE.BIN/S-1/x.png"),
            *("calm/@eaDir/0.png/SYNOPHOTO_THUMB_M.jpg", "#recycle/calm/1.png"),
            *("lost+found/1.png", "calm/.ipynb_checkpoints/0-checkpoint.png"),
        ],
        {"bored": "train 4", "calm": "train 4"},
    ),
    "emotions of Oulu-CASIA": (
        each("VL/Strong/{}/{}/00#.jpeg", "P001|P002", "Anger|Happiness|Sadness"),
        {name: "train 8" for name in ("angry", "happy", "sad")},
    ),
    "split in file names of FER2013": (
        each("{}/PrivateTest_#.jpg", EXPRESSIONS),
        {name: "train 4" for name in ("angry", "happy", "sad")},
    ),
}


@pytest.mark.parametrize("kind", IMPORTED)
def test_layouts_are_imported(kind: str, tmp_path: Path) -> None:
    files, expected = IMPORTED[kind]
    assert summary(previewed(Kind(files=files), tmp_path)) == expected


#: Layouts that stop, with what the regular expression of the message gives.
FOLLOWED = {
    "people below splits": (
        each("{}/{}/{}/#.png", "train|test", "calm|bored", "S001|S002"),
        {name: "test 8 train 8" for name in ("bored", "calm")},
    ),
    "people above splits": (
        each("{}/{}/{}/#.png", "calm|bored", "S001|S002", "train|test"),
        {name: "test 8 train 8" for name in ("bored", "calm")},
    ),
    "a folder below all classes": (
        each("{}/{}/images/#.png", "train|test", "calm|bored"),
        {name: "test 4 train 4" for name in ("bored", "calm")},
    ),
    "expressions in names, in split folders": (
        each("{}/{}#.jpg", "train|test", EXPRESSIONS),
        {name: "test 4 train 4" for name in ("angry", "happy", "sad")},
    ),
    "expressions in names as of RaFD": (
        each("Face090_0#_Caucasian_female_{}_frontal.jpg", EXPRESSIONS),
        {name: "train 4" for name in ("angry", "happy", "sad")},
    ),
    "codes of TFEID": (
        each("{0}/{0}_{1}_#_h.jpg", "f01|f02|m01", "an|ha|sa"),
        {name: "train 12" for name in ("angry", "happy", "sad")},
    ),
    "codes of CREMA-D": (
        each("{0}/{0}_DFA_{1}_X#.jpg", "1001|1002", "ANG|HAP|SAD"),
        {name: "train 8" for name in ("angry", "happy", "sad")},
    ),
    "codes of CREMA-D in one folder": (
        each("images/100#_DFA_{}_XX.jpg", "ANG|HAP|SAD"),
        {name: "train 4" for name in ("angry", "happy", "sad")},
    ),
    "codes of CREMA-D without folders": (
        each("100#_DFA_{}_XX.jpg", "ANG|HAP|SAD"),
        {name: "train 4" for name in ("angry", "happy", "sad")},
    ),
}


@pytest.mark.parametrize("kind", FOLLOWED)
def test_the_message_has_the_options_that_import_it(kind: str, tmp_path: Path) -> None:
    files, expected = FOLLOWED[kind]
    with pytest.raises(DataError) as stopped:
        previewed(Kind(files=files), tmp_path)
    text = str(stopped.value)
    pattern = re.search(r"--class-from '([^']+)'", text)
    assert pattern is not None, text
    named = re.search(r"--rename (\S+?)\.?(?:\s|$)", text)
    rename = dict(pair.split("=") for pair in named[1].split(",")) if named else {}
    options = {"pattern": pattern[1], "rename": rename}
    found = summary(previewed(Kind(files=files, options=options), tmp_path))
    assert found == expected, text


@pytest.mark.parametrize(
    "files",
    [
        [f"03-01-0{e}-01-0{i}-01-{a:02d}.jpg" for e in (1, 3) for i in (1, 2) for a in (1, 2)],
        each("Actor_0{}/03-01-0#-01-02-01-12.jpg", "1|2"),
        each("2#_0_1_2017010915{}.jpg", "10|11|12"),  # UTKFace: age, gender, origin
        each("image_#_{}.jpg", "0|1|2"),
        each("{}/EP02_01f/img#.jpg", "sub01|sub02"),  # CASME
        each("Sessions/{}/S001-00{}.png", "10|20|31", "1|2|3"),
        each("happy/#.png") + each("happy/sad/#.png") + each("sad/#.png"),
        each("calm/#.png") + each("{}/side/#.png", "calm|bored"),
    ],
)
def test_what_cannot_be_known_is_asked(files: list[str], tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"--(class-from|labels)"):
        previewed(Kind(files=files), tmp_path)


def test_words_for_one_expression_are_noted(tmp_path: Path) -> None:
    found = previewed(Kind(files=each("{}/#.png", "sad|triste|happy|feliz|calm")), tmp_path)
    assert [note for note in found.found.notes if "may be one expression" in note] == [
        "the classes feliz, happy may be one expression; if so, add --rename happy=feliz",
        "the classes sad, triste may be one expression; if so, add --rename triste=sad",
    ]


def test_videos_and_documents_are_no_pictures(tmp_path: Path) -> None:
    files = [*each("{}/#.png", "happy|sad"), "happy/clip.mp4", "sad/notes.json"]
    found = previewed(Kind(files=files), tmp_path)
    assert {item.origin: item.reason for item in found.skipped} == {
        "happy/clip.mp4": "is a video; import its frames as pictures",
        "sad/notes.json": "not an image",
    }
