import errno
import json
import os
import random
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from noise_pictures import noise, save, zip_up

from fer_tune.data import PackedDataset, import_source
from fer_tune.errors import DataError, EnvironmentFault
from tests.disks import mounted


def test_a_folder_is_packed_whole(faces: Path, tmp_path: Path) -> None:
    seen = []
    report = import_source(
        str(faces), tmp_path / "out", progress=lambda done, total: seen.append((done, total))
    )
    dataset = PackedDataset.open(tmp_path / "out")
    assert (report.pictures, len(dataset), report.skipped) == (24, 24, ())
    assert report.classes == dataset.classes == ("angry", "happy", "sad")
    assert report.counts["train"] == {"angry": 4, "happy": 4, "sad": 4}
    assert report.counts["validation"] == {}
    assert seen == [(n, 24) for n in range(1, 25)]
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == [
        "dataset.json", "index.parquet", "pixels.bin",
    ]  # fmt: skip
    assert json.loads(json.dumps(report.as_dict()))["root"] == str(tmp_path / "out")

    expected = {}
    for seed in range(24):
        split, label = ("train", "test")[seed // 12], ("angry", "happy", "sad")[seed % 12 // 4]
        expected[noise(seed).tobytes()] = (split, label)
    found = {
        dataset.picture(i).tobytes(): (dataset.splits[i], dataset.classes[dataset.labels[i]])
        for i in range(24)
    }
    assert found == expected


def test_the_fingerprint_names_the_pictures_not_the_source(faces: Path, tmp_path: Path) -> None:
    def fingerprint(source: Path, **options: object) -> str:
        out = tmp_path / f"out{len(list(tmp_path.iterdir()))}"
        return import_source(str(source), out, **options).fingerprint  # type: ignore[arg-type]

    original = fingerprint(faces)
    shuffled = [p for p in faces.rglob("*") if p.is_file()]
    random.Random(0).shuffle(shuffled)
    assert fingerprint(zip_up(faces, tmp_path / "a.zip")) == original
    assert fingerprint(zip_up(faces, tmp_path / "b.zip", shuffled)) == original

    other = tmp_path / "other"
    rows = ["emotion,pixels,Usage"]
    for path in shuffled:
        seed_pixels = _pixels(path)
        split, label = path.parts[-3], path.parts[-2].lower()
        save(other / label / split.lower() / f"{path.stem}.bmp", np.repeat(seed_pixels, 3, axis=2))
        emotion = {"angry": 0, "happy": 3, "sad": 4}[label]
        usage = {"Training": "Training", "Testing": "PrivateTest"}[split]
        rows.append(f"{emotion},{' '.join(map(str, seed_pixels.ravel()))},{usage}")
    (tmp_path / "fer.csv").write_text("\n".join(rows))
    assert fingerprint(other) == original, "grey in three channels, class above split"
    assert fingerprint(tmp_path / "fer.csv") == original

    assert fingerprint(faces, classes=["sad", "happy", "angry"]) != original
    changed = faces / "Training/Training/Sad/train_0.png"
    changed.rename(faces / "Training/Training/Happy/moved.png")
    assert fingerprint(faces) != original


def _pixels(path: Path) -> np.ndarray:
    from PIL import Image

    with Image.open(path) as image:
        return np.asarray(image)[:, :, None]


def test_picture_i_is_the_same_from_every_order(faces: Path, tmp_path: Path) -> None:
    import_source(str(faces), tmp_path / "a")
    backwards = sorted((p for p in faces.rglob("*.png")), reverse=True)
    import_source(str(zip_up(faces, tmp_path / "b.zip", backwards)), tmp_path / "b")
    for name in ("pixels.bin", "index.parquet"):
        assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


def test_classes_are_picked_and_ordered(faces: Path, tmp_path: Path) -> None:
    (faces / "Testing/Testing/Angry/broken.png").write_bytes(b"x")
    report = import_source(str(faces), tmp_path / "out", classes=["Sad", "happy"])
    dataset = PackedDataset.open(tmp_path / "out")
    assert dataset.classes == ("sad", "happy")
    assert report.left_out == {"angry": 9} and report.pictures == 16
    assert report.skipped == (), "a class that is not wanted is not decoded"
    assert dataset.description["left_out"] == {"angry": 9}
    sad = {noise(seed).tobytes() for seed in (8, 9, 10, 11, 20, 21, 22, 23)}
    assert {dataset.picture(i).tobytes() for i in np.flatnonzero(dataset.labels == 0)} == sad


def test_a_picked_class_that_is_absent_is_an_error(faces: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"selected class.*'fear'.*Found: angry, happy, sad"):
        import_source(str(faces), tmp_path / "out", classes=["fear", "happy"])


def test_mixed_sizes_and_colours_are_kept_and_large_ones_reduced(tmp_path: Path) -> None:
    root = tmp_path / "mixed"
    save(root / "happy/grey.png", noise(1, side=20))
    save(root / "sad/colour.png", noise(2, side=30, channels=3))
    save(root / "sad/large.png", noise(3, side=90, channels=3))
    report = import_source(str(root), tmp_path / "out", max_side=40)
    dataset = PackedDataset.open(tmp_path / "out")
    assert report.reduced == 1 and dataset.channels == 3
    by_side = {dataset.picture(i).shape[0]: dataset.picture(i) for i in range(3)}
    assert sorted(by_side) == [20, 30, 40]
    assert np.array_equal(by_side[20], np.repeat(noise(1, side=20), 3, axis=2))
    assert np.array_equal(by_side[30], noise(2, side=30, channels=3))
    assert sorted(dataset.sizes.tolist()) == [[20, 20], [30, 30], [40, 40]]


def test_unusable_files_are_skipped_by_name_and_fatal_when_strict(
    faces: Path, tmp_path: Path
) -> None:
    (faces / "Training/Training/Sad/broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 cut off")
    (faces / "notes.txt").write_text("clutter")
    report = import_source(str(faces), tmp_path / "out")
    ((name, reason),) = report.skipped
    assert name == "Training/Training/Sad/broken.jpg" and reason
    assert (report.pictures, report.ignored) == (24, 1)
    assert PackedDataset.open(tmp_path / "out").description["skipped"] == [[name, reason]]
    with pytest.raises(DataError, match=r"Sad/broken\.jpg.*without --strict"):
        import_source(str(faces), tmp_path / "strict", strict=True)
    assert not (tmp_path / "strict").exists()


def test_no_usable_picture_at_all_is_fatal(tmp_path: Path) -> None:
    root = tmp_path / "bad"
    (root / "happy").mkdir(parents=True)
    with pytest.raises(DataError, match=r"at least two classes.*no pictures"):
        import_source(str(root), tmp_path / "out")
    (root / "happy/a.png").write_bytes(b"x")
    (root / "happy/b.png").write_bytes(b"x")
    with pytest.raises(DataError, match=r"no usable picture.*: 2, .*happy/a\.png: not an image"):
        import_source(str(root), tmp_path / "out")
    save(root / "happy/c.png", noise(1))
    with pytest.raises(DataError, match=r"at least two classes.*'happy'"):
        import_source(str(root), tmp_path / "out")


def test_the_target_is_whole_or_untouched(faces: Path, tmp_path: Path) -> None:
    def interrupt(done: int, total: int | None) -> None:
        if done == 10:
            raise KeyboardInterrupt

    before = sorted(tmp_path.iterdir())
    with pytest.raises(KeyboardInterrupt):
        import_source(str(faces), tmp_path / "out", progress=interrupt)
    assert sorted(tmp_path.iterdir()) == before


IMPORTS = """
import os, sys, time
import fer_tune.cli
from fer_tune.data import pack
add = pack.PackWriter.add
def slowly(self, *args, **kwargs):
    add(self, *args, **kwargs)
    if len(self) == 30:
        print("packing", flush=True)
        time.sleep(60)
pack.PackWriter.add = slowly
fer_tune.cli.main()
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGKILL])
def test_a_signal_leaves_no_pictures_behind(number: signal.Signals, tmp_path: Path) -> None:
    out = tmp_path / "new" / "out"
    process = subprocess.Popen(
        [sys.executable, "-c", IMPORTS, "data", "import", "synthetic:100", "--out", str(out)],
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[2],
    )
    assert process.stdout is not None
    assert process.stdout.readline() == b"packing\n"
    (scratch,) = out.parent.iterdir()
    assert scratch.stat().st_mode & 0o777 == 0o700, "faces are nobody else's business"
    process.send_signal(number)
    code = process.wait(30)
    process.stdout.close()
    if number != signal.SIGKILL:
        assert code == 128 + number and not any(tmp_path.iterdir())
        return
    assert scratch.exists(), "nothing can be done about that at once"
    import_source("synthetic:12", out)
    assert [path.name for path in out.parent.iterdir()] == ["out"]


def test_a_full_disk_leaves_no_pictures_behind(tmp_path: Path) -> None:
    with mounted(tmp_path / "disk", "100k") as disk:
        with pytest.raises(EnvironmentFault, match="No space left on device"):
            import_source("synthetic:200", disk / "new" / "out")
        assert not any(disk.iterdir())


def test_the_dataset_has_the_usual_rights(tmp_path: Path) -> None:
    before = os.umask(0o027)
    try:
        import_source("synthetic:12", tmp_path / "out")
    finally:
        os.umask(before)
    assert (tmp_path / "out").stat().st_mode & 0o777 == 0o750
    assert (tmp_path / "out" / "pixels.bin").stat().st_mode & 0o777 == 0o640


def test_a_dataset_that_cannot_be_replaced_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = import_source("synthetic:12", tmp_path / "out").fingerprint
    real = Path.rename

    def refusing(self: Path, target: Path) -> Path:
        if self.name == "packed":
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(self, target)

    monkeypatch.setattr(Path, "rename", refusing)
    with pytest.raises(EnvironmentFault, match="No space left"):
        import_source("synthetic:14", tmp_path / "out", force=True)
    assert PackedDataset.open(tmp_path / "out").fingerprint == first
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_links_out_are_imported_only_when_asked(faces: Path, tmp_path: Path) -> None:
    save(tmp_path / "secret.png", noise(99))
    (faces / "Training/Training/Sad/out.png").symlink_to(tmp_path / "secret.png")
    report = import_source(str(faces), tmp_path / "out")
    assert report.pictures == 24 and "leads out of the folder" in report.skipped[0][1]
    with pytest.raises(DataError, match=r"Sad/out\.png: a link that leads out of the folder"):
        import_source(str(faces), tmp_path / "strict", strict=True)
    assert import_source(str(faces), tmp_path / "all", follow_links=True).pictures == 25


def test_what_stands_at_the_target_is_never_lost_unasked(faces: Path, tmp_path: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    first = import_source(str(faces), out)  # an empty folder may be filled
    with pytest.raises(DataError, match=r"already a packed dataset.*--force"):
        import_source(str(faces), out)
    second = import_source(str(faces), out, classes=["sad", "happy"], force=True)
    assert PackedDataset.open(out).fingerprint == second.fingerprint != first.fingerprint
    assert sorted(p.name for p in tmp_path.iterdir()) == ["faces", "out"]

    (tmp_path / "file").touch()
    with pytest.raises(DataError, match="is not a folder"):
        import_source(str(faces), tmp_path / "file", force=True)
    with pytest.raises(DataError, match="is not a packed dataset"):
        import_source(str(faces), faces, force=True)
    assert len(list(faces.rglob("*.png"))) == 24


def test_a_folder_can_be_packed_inside_itself(faces: Path, tmp_path: Path) -> None:
    report = import_source(str(faces), faces / "packed")
    assert (report.pictures, report.skipped) == (24, ())


def test_a_disk_that_refuses_is_no_traceback(faces: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(EnvironmentFault, match=r"cannot be written.*--out"):
        import_source(str(faces), tmp_path / "file" / "out")


def test_options_out_of_range_are_refused(faces: Path, tmp_path: Path) -> None:
    with pytest.raises(DataError, match="--max-side"):
        import_source(str(faces), tmp_path / "out", max_side=2)
    with pytest.raises(DataError, match="--public-test"):
        import_source(str(faces), tmp_path / "out", public_test="train")  # type: ignore[arg-type]


def test_the_real_generator_imports_deterministically(tmp_path: Path) -> None:
    prints = [
        import_source("synthetic:40", tmp_path / str(n), seed=seed).fingerprint
        for n, seed in enumerate((3, 3, 4))
    ]
    assert prints[0] == prints[1] != prints[2]


def test_importing_the_package_loads_no_torch() -> None:
    code = "import sys, fer_tune.data as d; assert d.cut; assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True, cwd=Path(__file__).parents[2])


def test_unknown_names_are_no_attributes() -> None:
    import fer_tune.data

    with pytest.raises(AttributeError, match="nonsense"):
        _ = fer_tune.data.nonsense
