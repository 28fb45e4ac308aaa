"""One Unicode form for names, and archives whose names are not UTF-8."""

from __future__ import annotations

import io
import os
import tarfile
import unicodedata
import zipfile
from pathlib import Path

import pytest
from noise_pictures import noise, save
from PIL import Image

from fer_tune.data import ImportReport, PackedDataset, import_source
from fer_tune.data.checks.text import guess_encoding, looks_garbled
from fer_tune.data.listing import printable
from fer_tune.data.names import class_name
from fer_tune.errors import DataError

#: Class names as people write them, by the encoding that their archive programs use.
VOCABULARIES = {
    "utf-8": ["üzgün", "mutlu", "şaşkın"],
    "gbk": ["高兴", "悲伤", "生气"],
    "gbk of animals": ["猫", "狗", "大象", "老虎"],
    "cp932": ["喜び", "悲しみ", "怒り"],
    "cp932 of animals": ["ネコ", "犬", "表示"],
    "cp949": ["행복", "슬픔", "분노"],
    "big5": ["高興", "悲傷", "憤怒"],
    "cp1252": ["üzgün", "colère", "dégoût"],
    "cp1252 of animals": ["Bär", "Löwe", "Käfer"],
    "cp437": ["fröhlich", "überrascht", "wütend"],
    "cp850": ["ação", "tristeza", "surpresa"],
    "mac_roman": ["fröhlich", "dégoût", "peur"],
    "cp866": ["радость", "грусть", "гнев"],
    "cp1251": ["радость", "грусть", "гнев"],
    "cp1254": ["üzgün", "mutlu", "şaşkın"],
    "cp1250": ["złość", "smutek", "strach"],
}


@pytest.mark.parametrize("vocabulary", VOCABULARIES)
def test_encodings_are_guessed(vocabulary: str) -> None:
    encoding, words = vocabulary.split()[0], VOCABULARIES[vocabulary]
    names = [f"data/{split}/{word}/1.png".encode(encoding) for split in "ab" for word in words]
    assert guess_encoding(names) == encoding


def test_plain_names_need_no_encoding() -> None:
    assert guess_encoding([]) == guess_encoding([b"train/happy/1.png"]) == "utf-8"


def picture(number: int) -> bytes:
    out = io.BytesIO()
    Image.fromarray(noise(number)[:, :, 0]).save(out, "PNG")
    return out.getvalue()


def unmarked_zip(path: Path, names: list[bytes]) -> Path:
    """A zip whose names are these bytes, without the flag for UTF-8."""
    places = {f"{n:03d}".ljust(len(name), "@").encode(): name for n, name in enumerate(names)}
    assert all(len(place) == len(name) for place, name in places.items())
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as target:
        for number, place in enumerate(places):
            target.writestr(place.decode(), picture(number))
    content = out.getvalue()
    for place, name in places.items():
        content = content.replace(place, name)
    path.write_bytes(content)
    return path


def plain_folder(path: Path, words: list[str]) -> Path:
    for number, name in enumerate(paths(words)):
        save(path / name, noise(number))
    return path


def paths(words: list[str]) -> list[str]:
    return [
        f"{split}/{w}/some_picture_{k}.png"
        for split in ("train", "test")
        for w in words
        for k in "ab"
    ]


def encodings_noted(report: ImportReport) -> list[str]:
    return [note for note in report.found.notes if "encoding" in note]


@pytest.mark.parametrize("vocabulary", VOCABULARIES)
def test_a_zip_with_unmarked_names_equals_the_folder(vocabulary: str, tmp_path: Path) -> None:
    encoding, words = vocabulary.split()[0], VOCABULARIES[vocabulary]
    names = [name.encode(encoding) for name in paths(words)]
    report = import_source(str(unmarked_zip(tmp_path / "a.zip", names)), tmp_path / "zip")
    folder = import_source(str(plain_folder(tmp_path / "folder", words)), tmp_path / "out")
    assert report.fingerprint == folder.fingerprint
    (note,) = encodings_noted(report)
    assert f"read as {encoding} (guessed; change that with --encoding)" in note
    assert encodings_noted(folder) == []


def test_the_user_may_know_the_encoding(tmp_path: Path) -> None:
    words = ["고양이", "개"]  # as plausible in Chinese
    names = [name.encode("cp949") for name in paths(words)]
    source = str(unmarked_zip(tmp_path / "a.zip", names))
    report = import_source(source, tmp_path / "out", encoding="cp949")
    assert report.classes == tuple(sorted(words))
    assert "read as cp949 (by --encoding)" in encodings_noted(report)[0]
    with pytest.raises(DataError, match=r"--encoding.*unknown encoding.*'klingon'.*gbk"):
        import_source(source, tmp_path / "other", encoding="klingon")
    with pytest.raises(DataError, match=r"is not text in this encoding.*Without --encoding"):
        import_source(source, tmp_path / "other", encoding="utf-8")


def test_a_mac_writes_names_in_pieces_and_does_not_say_utf_8(tmp_path: Path) -> None:
    words = [unicodedata.normalize("NFD", word) for word in ("üzgün", "mutlu")]
    names = [name.encode() for name in paths(words)]
    report = import_source(str(unmarked_zip(tmp_path / "mac.zip", names)), tmp_path / "out")
    assert report.classes == ("mutlu", "üzgün")
    folder = import_source(
        str(plain_folder(tmp_path / "folder", ["üzgün", "mutlu"])), tmp_path / "f"
    )
    assert report.fingerprint == folder.fingerprint
    index = PackedDataset.open(tmp_path / "out")
    assert all(unicodedata.is_normalized("NFC", origin) for origin in index.origins)


def test_old_tars_and_folders_of_foreign_names_are_read(tmp_path: Path) -> None:
    words = VOCABULARIES["gbk"]
    with tarfile.open(tmp_path / "old.tar", "w", format=tarfile.GNU_FORMAT, encoding="gbk") as tar:
        for number, name in enumerate(paths(words)):
            member = tarfile.TarInfo(name)
            member.size = len(picture(number))
            tar.addfile(member, io.BytesIO(picture(number)))
    for number, name in enumerate(paths(words)):
        place = os.fsencode(tmp_path / "folder") + b"/" + name.encode("gbk")
        os.makedirs(os.path.dirname(place), exist_ok=True)
        with open(place, "wb") as out:
            out.write(picture(number))
    for source in ("old.tar", "folder"):
        report = import_source(str(tmp_path / source), tmp_path / f"{source}.out")
        assert report.classes == tuple(sorted(words)) and report.pictures == len(paths(words))
        assert "read as gbk (guessed" in encodings_noted(report)[0]


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_names_have_one_unicode_form(form: str) -> None:
    for text in ("üzgün", "ÜZGÜN", " Üzgün\u200e", "\ufeffüzgün"):
        assert class_name(unicodedata.normalize(form, text)) == "üzgün"
    assert printable(unicodedata.normalize(form, "é\u200c\n")) == "é\u200c\ufffd"


def test_one_class_in_two_forms_is_one(tmp_path: Path) -> None:
    for number, form in enumerate(("NFC", "NFD")):
        word = unicodedata.normalize(form, "üzgün")
        save(tmp_path / "in" / word / f"{number}.png", noise(number))
    save(tmp_path / "in/mutlu/1.png", noise(9))
    report = import_source(str(tmp_path / "in"), tmp_path / "out")
    assert report.counts["train"] == {"mutlu": 1, "üzgün": 2}


@pytest.mark.parametrize(
    "name",
    [
        "üzgün",
        "naïve café",
        "Größe",
        "œuvre",
        "高兴",
        "喜び",
        "행복",
        "радость",
        "ñandú",
        "½ smile?"[2:],
        "سعيد",
    ],
)
def test_text_of_any_language_is_not_garbled(name: str) -> None:
    assert looks_garbled(name) is None


@pytest.mark.parametrize(
    ("text", "written", "read"),
    [
        ("üzgün", "utf-8", "cp1252"), ("üzgün", "utf-8", "cp437"), ("高兴", "utf-8", "cp1252"),
        ("高兴", "gbk", "cp437"), ("高兴", "gbk", "cp1252"), ("радость", "cp1251", "cp1252"),
        ("радость", "utf-8", "latin-1"), ("喜び", "utf-8", "mac_roman"),
    ],
)  # fmt: skip
def test_text_in_a_wrong_encoding_is_garbled(text: str, written: str, read: str) -> None:
    assert looks_garbled(text.encode(written).decode(read, "replace")) is not None


def test_garbled_folders_stop_an_import_and_are_renamed(tmp_path: Path) -> None:
    for number, name in enumerate(("Ã¼zgÃ¼n", "mutlu")):
        save(tmp_path / "in" / name / "1.png", noise(number))
    with pytest.raises(DataError, match=r"wrongly: a name reads 'üzgün' in UTF-8.*--encoding"):
        import_source(str(tmp_path / "in"), tmp_path / "out")
    assert import_source(str(tmp_path / "in"), tmp_path / "out", classes_as_is=True).pictures == 2
