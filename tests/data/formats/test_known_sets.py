"""Known data sets are recognised and named, each in the layouts that people have."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from labels_writing import by_origin, counted, lines, listed, pixels, put

from fer_tune.data.formats.registry import FORMATS, known_format, label_order
from fer_tune.data.names import EXPRESSIONS
from fer_tune.errors import DataError

ROOT = Path(__file__).resolve().parents[3]
BOTH = ("train", "test")


def fer2013_folders(at: Path) -> None:
    for seed, (folder, name) in enumerate((("train", "Training"), ("test", "PrivateTest"))):
        put(at / folder / "angry" / f"{name}_1.jpg", seed)
        put(at / folder / "fear" / f"{name}_2.jpg", seed + 5)


def ferplus_votes(at: Path) -> None:
    for folder in ("FER2013Train", "FER2013Valid", "FER2013Test"):
        for n in range(2):
            put(at / folder / f"fer{n:07d}.png", n)
        rows = ('fer0000000.png,"(0, 0, 48, 48)",9,0,0,1,0,0,0,0,0,0',
                'fer0000001.png,"(0, 0, 48, 48)",0,0,0,0,0,0,0,9,1,0')  # fmt: skip
        lines(at / folder / "label.csv", *rows)


def ferplus_rows(at: Path) -> None:
    rows = ((0, "Training"), (3, "PublicTest"), (4, "PrivateTest"))
    lines(at / "fer2013.csv", "emotion,pixels,Usage", *(f"{n},{pixels(n)},{u}" for n, u in rows))
    names = "neutral,happiness,surprise,sadness,anger,disgust,fear,contempt,unknown,NF"
    lines(
        at / "fer2013new.csv", f"Usage,Image name,{names}",
        "Training,fer0000000.png,0,0,0,0,0,0,0,9,1,0",
        "PublicTest,fer0000001.png,9,0,0,0,0,0,0,0,1,0",
        "PrivateTest,,0,0,0,0,0,0,0,0,0,10",
    )  # fmt: skip


def ferplus_folders(at: Path) -> None:
    for split in BOTH:
        for seed, name in enumerate(("anger", "contempt")):
            put(at / split / name / f"fer{seed:07d}.png", seed)


def raf_list(at: Path) -> None:
    rows = []
    for split in BOTH:
        for n in (1, 2):
            put(at / f"basic/Image/aligned/{split}_{n:05d}_aligned.jpg", n)
            put(at / f"basic/Image/original/{split}_{n:05d}.jpg", n + 5)
            rows.append(f"{split}_{n:05d}.jpg {(1, 6)[n - 1]}")
    lines(at / "basic/EmoLabel/list_patition_label.txt", *rows)


def raf_folders(at: Path) -> None:
    for split in BOTH:
        for number in (1, 6):
            put(at / f"DATASET/{split}/{number}/{split}_0000{number}_aligned.jpg", number)
    lines(at / "train_labels.csv", "image,label", "train_00001_aligned.jpg,1")


def affectnet_arrays(at: Path) -> None:
    for folder in ("train_set", "val_set"):
        for n, label in ((0, "1"), (1, "7"), (2, "9")):
            put(at / folder / f"images/{n}.jpg", n)
            (at / folder / "annotations").mkdir(exist_ok=True)
            np.save(at / folder / f"annotations/{n}_exp.npy", np.array(label))
            np.save(at / folder / f"annotations/{n}_aro.npy", np.array("0.5"))


def affectnet_lists(at: Path) -> None:
    header = "subDirectory_filePath,face_x,face_y,expression,valence,arousal"
    for name, folder in (("training", 1), ("validation", 2)):
        for n in (1, 7, 8):
            put(at / f"images/{folder}/{n}{name}.jpg", n)
        rows = (f"{folder}/{n}{name}.jpg,0,0,{n},0.1,0.2" for n in (1, 7, 8))
        lines(at / f"{name}.csv", header, *rows)


def ck_sequences(at: Path) -> None:
    for who, number, label in (("S005", "001", 1), ("S010", "002", 5)):
        for frame in (1, 2, 11):
            put(at / f"cohn-kanade-images/{who}/{number}/{who}_{number}_{frame:08d}.png", frame)
        name = f"Emotion/{who}/{number}/{who}_{number}_00000011_emotion.txt"
        lines(at / name, f"   {label}.0000000e+00")


def ck_48(at: Path) -> None:
    for seed, name in enumerate(("anger", "happy")):
        put(at / "CK+48" / name / f"S01{seed}_004_00000017.png", seed)


def kdef(at: Path) -> None:
    for seed, name in enumerate(("AF01ANS", "AF01HAHL", "BF01ANS", "AM02HAFR")):
        put(at / name[:4] / f"{name}.JPG", seed)


def jaffe(at: Path) -> None:
    for seed, name in enumerate(("KA.AN1.39", "KA.HA1.29", "YM.HA2.53")):
        put(at / f"{name}.tiff", seed)


def rafd(at: Path) -> None:
    for seed, name in enumerate(
        ("090_01_Caucasian_female_angry_left", "045_07_Moroccan_male_happy_frontal")
    ):
        put(at / f"Rafd{name}.jpg", seed)


def expw(at: Path) -> None:
    for n in (1, 2):
        put(at / f"image/origin/a_{n}.jpg", n)
    rows = ("a_1.jpg 0 1 2 5 6 48.4 0", "a_1.jpg 1 0 0 3 3 20.1 3", "a_2.jpg 0 0 0 8 8 9.9 3")
    lines(at / "label/label.lst", *rows)


A, C, F, H, N, S = "angry", "contempt", "fear", "happy", "neutral", "surprise"
TR, VA, TE = "train", "validation", "test"
KINDS: dict[Callable[[Path], None], tuple[str, dict[tuple[str, str], int]]] = {
    fer2013_folders: ("FER2013", {(A, TR): 1, (F, TR): 1, (A, TE): 1, (F, TE): 1}),
    ferplus_votes: ("FERPlus", {(c, s): 1 for c in (N, C) for s in (TR, VA, TE)}),
    ferplus_rows: ("FERPlus", {(C, TR): 1, (N, TE): 1}),
    ferplus_folders: ("FERPlus", {(c, s): 1 for c in (A, C) for s in BOTH}),
    raf_list: ("RAF-DB", {(c, s): 1 for c in (S, A) for s in BOTH}),
    raf_folders: ("RAF-DB", {(c, s): 1 for c in (S, A) for s in BOTH}),
    affectnet_arrays: ("AffectNet", {(c, s): 1 for c in (H, C) for s in (TR, VA)}),
    affectnet_lists: ("AffectNet", {(c, s): 1 for c in (H, C) for s in (TR, VA)}),
    ck_sequences: ("CK+", {(A, TR): 1, (H, TR): 1}),
    ck_48: ("CK+", {(A, TR): 1, (H, TR): 1}),
    kdef: ("KDEF", {(A, TR): 2, (H, TR): 2}),
    jaffe: ("JAFFE", {(A, TR): 1, (H, TR): 2}),
    rafd: ("RaFD", {(A, TR): 1, (H, TR): 1}),
    expw: ("ExpW", {(A, TR): 1, (H, TR): 2}),
}


@pytest.mark.parametrize("make", KINDS, ids=lambda make: make.__name__)
def test_a_known_set_is_recognised(make: Callable[[Path], None], tmp_path: Path) -> None:
    make(tmp_path)
    name, wanted = KINDS[make]
    found = listed(tmp_path)
    assert found.found.format == name
    assert counted(found) == wanted
    assert found.skipped == []
    for entry in found.entries:
        assert entry.load().size > 0
    forced = listed(tmp_path, format=known_format(name).key)
    assert counted(forced) == wanted and forced.found.format == name


def test_what_is_left_out_of_a_known_set_is_said(tmp_path: Path) -> None:
    for make, note in {
        raf_list: "left out: 4 pictures not aligned",
        affectnet_arrays: "left out: 2 pictures labelled uncertain",
        affectnet_lists: "left out: 2 pictures labelled none",
        ck_sequences: "left out: 4 frames without an emotion of their own",
        ferplus_rows: "left out: 1 picture labelled not a face",
        expw: "faces were cut out by the boxes of the list",
    }.items():
        make(tmp_path / make.__name__)
        assert note in listed(tmp_path / make.__name__).found.notes, make.__name__
    assert listed(tmp_path / "raf_list").entries[0].origin.endswith("_aligned.jpg")


def test_labels_that_two_pictures_share_are_counted_once(tmp_path: Path) -> None:
    ck_sequences(tmp_path / "ck")
    for who, number in (("S005", "001"), ("S010", "002")):
        put(tmp_path / "ck/small" / f"{who}_{number}_00000011.png", 30)
    affectnet_arrays(tmp_path / "affectnet")
    put(tmp_path / "affectnet/train_set/images/0.png", 31)
    for name in ("ck", "affectnet"):
        notes = listed(tmp_path / name).found.notes
        assert not any("_emotion.txt files" in n or "_exp.npy files" in n for n in notes), notes


def test_people_are_groups(tmp_path: Path) -> None:
    for make, groups in {
        kdef: {"F01", "M02"}, jaffe: {"KA", "YM"}, rafd: {"01", "07"}, ck_48: {"S010", "S011"},
        ck_sequences: {"S005", "S010"},
    }.items():  # fmt: skip
        make(tmp_path / make.__name__)
        assert {e.group for e in listed(tmp_path / make.__name__).entries} == groups


def test_a_box_of_expw_is_cut_out(tmp_path: Path) -> None:
    expw(tmp_path)
    first, second, _ = listed(tmp_path).entries
    assert first.load().shape[:2] == (5, 3) and second.load().shape[:2] == (3, 3)
    assert (first.origin, second.origin) == ("image/origin/a_1.jpg#0", "image/origin/a_1.jpg#1")


# -- other orders of labels --------------------------------------------------------------------


def eight_labels(at: Path) -> Path:
    rows = (f"{n},{pixels(n)},Training" for n in (*range(8), 7))
    return lines(at / "f.csv", "emotion,pixels,Usage", *rows)


def test_eight_labels_are_not_read_as_fer2013(tmp_path: Path) -> None:
    source = eight_labels(tmp_path)
    with pytest.raises(DataError, match=r"f\.csv.*not its labels 0 to 6.*--label-order ferplus"):
        listed(source)
    found = listed(source, order=label_order("ferplus"))
    assert [e.class_name for e in found.entries][:5] == [
        "neutral",
        "happy",
        "surprise",
        "sad",
        "angry",
    ]
    assert found.found.format is None and found.found.named
    names = "angry,disgust,fear,happy,sad,surprise,neutral,contempt"
    found = listed(source, order=label_order(names))
    assert ",".join(e.class_name for e in found.entries[:8]) == names
    found = listed(source, rename={"0": "neutral", "7": "contempt"})
    assert [e.class_name for e in found.entries][:3] == ["neutral", "1", "2"]


def test_a_whole_set_with_other_numbers_of_pictures_is_not_fer2013(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from fer_tune.data.formats import fer2013

    source = lines(tmp_path / "f.csv", "emotion,pixels", *(f"{n},1 2 3 4" for n in range(7)))
    assert listed(source).found.format == "FER2013"
    monkeypatch.setattr(fer2013, "_COUNTS", (2, 0, 1, 1, 1, 1, 1))
    with pytest.raises(DataError, match="other numbers of pictures"):
        listed(source)


def test_rows_in_another_order_are_not_joined(tmp_path: Path) -> None:
    ferplus_rows(tmp_path)
    labels = tmp_path / "fer2013new.csv"
    header, *rows = labels.read_text().splitlines()
    lines(labels, header, rows[2], rows[1], rows[0])
    with pytest.raises(DataError, match="not in the same order"):
        listed(tmp_path)
    lines(labels, header, rows[0])
    with pytest.raises(DataError, match="cannot be joined"):
        listed(tmp_path)
    lines(labels, header, *rows)
    joined = listed(tmp_path / "fer2013.csv", files=(str(labels),))
    assert sorted(by_origin(joined).values()) == ["contempt", "neutral"]


def test_a_forced_format_gives_numbers_their_names(tmp_path: Path) -> None:
    for number in (1, 2):
        put(tmp_path / f"{number}/x.png", number)
    found = listed(tmp_path, format="RAF-DB")
    assert by_origin(found) == {"1/x.png": "surprise", "2/x.png": "fear"}
    with pytest.raises(DataError, match=r"is not KDEF as it is known.*'1, 2'"):
        listed(tmp_path, format="kdef")
    lines(tmp_path / "l.csv", "image,label", "1/x.png,3", "2/x.png,4")
    found = listed(tmp_path, format="rafdb", files=("l.csv",))
    assert by_origin(found) == {"1/x.png": "disgust", "2/x.png": "happy"}
    with pytest.raises(DataError, match=r"is not a known data set.*fer2013"):
        listed(tmp_path, format="imagenet")
    with pytest.raises(DataError, match="--label-order"):
        label_order("imagenet")


def test_files_of_one_kind_in_class_folders_are_not_renamed(tmp_path: Path) -> None:
    """Numbered folders without RAF-DB's file names stay numbers."""
    for number in (1, 2):
        put(tmp_path / f"{number}/x.png", number)
    assert set(by_origin(listed(tmp_path)).values()) == {"1", "2"}


def test_every_format_is_described_and_tested() -> None:
    page = (ROOT / "docs/data-formats.md").read_text(encoding="utf-8")
    for known in FORMATS:
        assert f"\n| `{known.key}` |" in page
        assert known.where.startswith("http") and known.licence and known.layouts
        assert set(known.order.values()) <= EXPRESSIONS
        assert known_format(known.name) is known_format(known.key) is known
    assert {name for name, _ in KINDS.values()} == {known.name for known in FORMATS}
