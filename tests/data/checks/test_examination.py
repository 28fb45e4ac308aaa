"""Imports that stop before any picture is decoded, and the option that their message names."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from noise_pictures import noise, save
from typer.testing import CliRunner

from fer_tune.cli.app import app
from fer_tune.data import ImportReport, PackedDataset, import_source
from fer_tune.data.files.tree import SourceFile
from fer_tune.data.listing import LabelOptions
from fer_tune.errors import DataError


def folder(root: Path, names: list[str]) -> str:
    for number, name in enumerate(names):
        save(root / name, noise(number))
    return str(root)


@pytest.fixture
def undecoded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fails where a picture is read."""

    def read(self: SourceFile) -> None:
        raise AssertionError(f"{self.origin} was read")

    monkeypatch.setattr(SourceFile, "picture", read)


def paths(pattern: str, **parts: str) -> list[str]:
    """A path for every combination of words in the parts of a pattern."""
    found = [pattern]
    for name, words in parts.items():
        found = [path.replace(f"<{name}>", word) for path in found for word in words.split()]
    found = [path if path.endswith("/") else f"{path}_" for path in found]
    return [f"{path}{k}.png" for path in found for k in "ab"]


LAYOUTS = {
    "people": paths("<who>/", who="S005 S010 S011"),
    "names": paths("<who>/", who="anne bob carla"),
    "sequences of people": paths("<who>/<seq>/", who="S005 S010", seq="001 002"),
    "people below classes": paths("<class>/<who>/", **{"class": "cats dogs"}, who="anne bob"),
    "batches below classes": paths("<class>/batch <n>/", **{"class": "cats dogs"}, n="1 2"),
    "splits": paths("<split>/", split="raf_train raf_test"),
    "splits of classes": paths("<split>/<c>/", split="eğitim sınama", c="mutlu üzgün"),
    "no folders": paths("<class>", **{"class": "happy sad"}),
    "only split folders": paths("<split>/", split="train test"),
    "one folder": paths("all/<class>", **{"class": "happy sad"}),
    "expressions of people": paths("<who>_<c>/", who="anne bob", c="happy sad"),
    "versions": paths("<version>/", version="aligned original"),
}


@pytest.mark.usefixtures("undecoded")
@pytest.mark.parametrize("layout", LAYOUTS)
def test_an_import_stops_before_any_picture_is_decoded(layout: str, tmp_path: Path) -> None:
    source = folder(tmp_path / "in", LAYOUTS[layout])
    with pytest.raises(DataError, match=r"--(class-from|labels|split-names)"):
        import_source(source, tmp_path / "out")
    assert [path.name for path in tmp_path.iterdir()] == ["in"]


def followed(source: str, out: Path) -> ImportReport:
    """Imports by the regular expression that the message of a stopped import has."""
    with pytest.raises(DataError) as stopped:
        import_source(source, out)
    found = re.search(r"--class-from '([^']+)'", str(stopped.value))
    assert found is not None, str(stopped.value)
    named = re.search(r"--rename (\S+)\.", str(stopped.value))
    pairs = named[1].split(",") if named else []
    rename = dict(pair.split("=") for pair in pairs)
    return import_source(source, out, labels=LabelOptions(pattern=found[1], rename=rename))


CODES, EXPRESSIONS = {"angry": 2, "happy": 2}, {"happy": 4, "sad": 4}


@pytest.mark.parametrize(
    ("names", "expected", "groups"),
    [
        ([f"{who}/{who}{c}S.png" for who in ("XF01", "XM02") for c in ("AN", "HA")], CODES, 2),
        (paths("<who>/<c>", who="anne bob", c="happy sad"), EXPRESSIONS, 2),
        (paths("<c>/<who>/", who="anne bob", c="cats dogs"), {"cats": 4, "dogs": 4}, 2),
        (paths("all/<c>", c="happy sad"), {"happy": 2, "sad": 2}, None),
        (paths("<c>", c="happy sad"), {"happy": 2, "sad": 2}, None),
        (paths("<who>_<c>/", who="anne bob", c="happy sad"), EXPRESSIONS, None),
],
)  # fmt: skip
def test_the_expression_in_the_message_fits_the_source(
    names: list[str], expected: dict[str, int], groups: int | None, tmp_path: Path
) -> None:
    report = followed(folder(tmp_path / "in", names), tmp_path / "out")
    assert report.counts["train"] == expected
    subjects = PackedDataset.open(tmp_path / "out").subjects
    assert (None if subjects is None else len(set(subjects))) == groups


def test_a_label_file_that_is_not_used_is_named(tmp_path: Path) -> None:
    source = folder(tmp_path / "in", paths("<c>/", c="happy sad"))
    (tmp_path / "in/emotions.csv").write_text("name,emotion\nother.png,3\n")
    assert import_source(source, tmp_path / "out").found.unused_label_files == ("emotions.csv",)

    people = folder(tmp_path / "people", LAYOUTS["people"])
    (tmp_path / "people/labels.csv").write_text("x,y\n1,2\n")
    with pytest.raises(DataError, match=r"from a file with --labels labels\.csv"):
        import_source(people, tmp_path / "out2")


def test_the_user_has_the_last_word(tmp_path: Path) -> None:
    source = folder(tmp_path / "in", LAYOUTS["names"])
    report = import_source(source, tmp_path / "as-is", classes_as_is=True)
    assert report.classes == ("anne", "bob", "carla")
    report = import_source(source, tmp_path / "named", classes=["anne", "bob"])
    assert report.classes == ("anne", "bob") and report.left_out == {"carla": 2}


def test_digits_are_classes_and_may_be_renamed(tmp_path: Path) -> None:
    source = folder(
        tmp_path / "in",
        paths("<s>/<c>/", s="train test", c="1 2 3 4 5 6 7"),
    )
    names = ("surprise", "fear", "disgust", "happy", "sad", "angry", "neutral")
    rename = {str(number): name for number, name in enumerate(names, start=1)}
    report = import_source(source, tmp_path / "out", labels=LabelOptions(rename=rename))
    assert report.classes == tuple(sorted(names))


def command(*words: str) -> tuple[int, str]:
    done = CliRunner().invoke(app, ["data", "import", *words])
    return done.exit_code, done.output


def test_options_reach_the_import(tmp_path: Path) -> None:
    source = folder(
        tmp_path / "in",
        [
            f"{s}/{c}/S{w:02d}_{k}.png"
            for s in ("lehren",)
            for c in ("anne", "bob")
            for w in range(5)
            for k in "ab"
        ],
    )
    options = ["--classes-as-is", "--split-names", "lehren=train", "--group-from", r"S\d+"]
    options += ["--test-share", "0.4", "--seed", "3", "--bits", "12", "--encoding", "utf-8"]
    code, output = command(source, "--out", str(tmp_path / "out"), *options)
    assert code == 0, output
    found = PackedDataset.open(tmp_path / "out")
    assert (found.splits == "test").sum() == 8 and found.subjects is not None
    assert "groups: 5 by --group-from" in output
    assert "test split: 8 of 20 training pictures (40.0%)" in " ".join(output.split())

    code, output = command(source, "--dry-run", *options[:-4])
    shown = " ".join(output.split())
    assert code == 0 and "--group-from" in shown and "--split-names lehren=train" in shown


def test_a_stop_is_one_message_and_exit_code_2(tmp_path: Path) -> None:
    from fer_tune.errors import UserError

    source = folder(tmp_path / "in", LAYOUTS["people"])
    done = CliRunner().invoke(app, ["data", "import", source, "--dry-run"])
    assert isinstance(done.exception, UserError) or done.exit_code == 2
    text = str(done.exception) + done.output
    assert "the classes look like people" in text and "--classes-as-is" in text
