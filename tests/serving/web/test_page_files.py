"""What a page consists of, the runtime that it needs, and the folder it is written to."""

from __future__ import annotations

import errno
import json
import os
import re
import stat
import tomllib
from pathlib import Path

import pytest

from fer_tune.errors import EnvironmentFault, UserError
from fer_tune.serving.web import runtime
from fer_tune.serving.web.contents import HEADERS, SETTINGS, Content, Display, page_contents
from fer_tune.serving.web.folder import check_page_folder, write_page
from fer_tune.serving.web.networks import PageModel
from fer_tune.serving.web.runtime import FILES, VERSION, runtime_files
from tests.object_store import ObjectStore
from tests.serving.small_models import small_card
from tests.serving.web.javascript import PAGE, ROOT, needs_runtime


@pytest.fixture
def ort(tmp_path: Path) -> Path:
    """A folder with files named like those of onnxruntime-web."""
    folder = tmp_path / "ort"
    folder.mkdir()
    for name in FILES:
        (folder / name).write_text(name)
    return folder


@pytest.fixture
def contents(ort: Path, tmp_path: Path) -> dict[str, Content]:
    file = tmp_path / "model.onnx"
    file.write_bytes(b"network")
    card = small_card(arm="resnet18", search={"name": "x", "results": "/home/me/results/x"})
    models = [PageModel(card=card, precision=p, file=file) for p in ("float32", "int8")]
    return page_contents(models, runtime_files(ort), Display(threshold=0.4))


def test_settings_name_every_file_and_nothing_of_this_machine(
    contents: dict[str, Content],
) -> None:
    text = contents[SETTINGS]
    assert isinstance(text, bytes) and b"/home/me" not in text
    settings = json.loads(text)
    assert settings["threshold"] == 0.4
    assert [one["name"] for one in settings["models"]] == ["resnet18 1", "resnet18 2"]
    files = [*settings["detector"].values(), *(one["file"] for one in settings["models"])]
    assert len({one["path"] for one in files}) == 5
    for one in files:
        content = contents[one["path"]]
        assert isinstance(content, Path) and content.stat().st_size == one["bytes"]
    assert settings["models"][0]["card"]["preprocessing"]["resized_side"] == 36
    assert settings["models"][0]["card"]["limits"]


@pytest.mark.parametrize("arms", [("resnet-50", "resnet_50"), ("a", "A"), ("x.1", "x-1")])
def test_models_with_similar_names_have_files_of_their_own(
    arms: tuple[str, str], ort: Path, tmp_path: Path
) -> None:
    models = []
    for number, arm in enumerate(arms):
        file = tmp_path / f"{number}.onnx"
        file.write_text(arm)
        card = small_card(arm=arm)
        models.append(PageModel(card=card, precision="float32", file=file))
    found = page_contents(models, runtime_files(ort), Display())
    text = found[SETTINGS]
    assert isinstance(text, bytes)
    paths = {one["name"]: one["file"]["path"] for one in json.loads(text)["models"]}
    assert len({path.casefold() for path in paths.values()}) == 2
    for arm, path in paths.items():
        file = found[path]
        assert isinstance(file, Path) and file.read_text() == arm


def test_every_file_that_the_page_names_is_there(contents: dict[str, Content]) -> None:
    for name, content in contents.items():
        if not name.endswith((".js", ".html")):
            continue
        assert isinstance(content, Path)
        text = content.read_text(encoding="utf-8")
        named = re.findall(r'(?:from|src=|href=|new URL\()\s*"(\./|\.\./)?([\w./-]+\.\w+)"', text)
        for prefix, target in named:
            place = Path(name).parent / prefix / target
            parts: list[str] = []
            for part in place.parts:
                parts = parts[:-1] if part == ".." else [*parts, part]
            assert "/".join(parts) in contents, (name, target)


def test_the_page_repeats_the_policy_of_the_headers() -> None:
    text = (PAGE / "index.html").read_text(encoding="utf-8")
    policy = re.search(r'Content-Security-Policy" content="([^"]+)"', text)
    # A page cannot say who may frame it.
    assert policy and policy[1] == HEADERS["Content-Security-Policy"].replace(
        "; frame-ancestors 'none'", ""
    )
    assert "http" not in policy[1]


def test_the_page_names_no_other_server() -> None:
    for path in PAGE.rglob("*"):
        if path.is_file():
            urls = re.findall(r"https?://[^\s\"'`)]+", path.read_text(encoding="utf-8"))
            assert set(urls) <= {"http://www.w3.org/2000/svg"}, path


def test_the_wheel_holds_the_page() -> None:
    """Every file of the page is one of the package's data."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    package = ROOT / "fer_tune/serving/web"
    patterns = settings["tool"]["setuptools"]["package-data"]["fer_tune.serving.web"]
    packed = {path for pattern in patterns for path in package.glob(pattern) if path.is_file()}
    own = {path for path in PAGE.rglob("*") if path.is_file()}
    assert len(own) > 15 and own == packed


# -- onnxruntime-web -------------------------------------------------------------------------------


def test_a_folder_with_the_runtime_may_be_the_package(ort: Path, tmp_path: Path) -> None:
    assert runtime_files(ort) == {name: ort / name for name in FILES}
    package = tmp_path / "package"
    package.mkdir()
    ort.rename(package / "dist")
    assert set(runtime_files(package)) == set(FILES)
    (package / "dist" / next(iter(FILES))).unlink()
    with pytest.raises(UserError, match=f"onnxruntime-web@{VERSION}"):
        runtime_files(package)


def test_another_version_is_noticed(ort: Path) -> None:
    assert not runtime.is_tested(runtime_files(ort))
    assert runtime.is_tested(runtime_files(needs_runtime()))


@pytest.fixture
def empty_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache/fer_tune/web" / f"onnxruntime-web-{VERSION}"


def test_without_npm_the_message_says_what_to_do(
    empty_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")
    with pytest.raises(EnvironmentFault, match="npm, which would download it, is not installed"):
        runtime_files(None)


def fake_npm(tmp_path: Path, script: str, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "bin"
    folder.mkdir()
    (folder / "npm").write_text(f"#!/bin/sh\n{script}\n")
    (folder / "npm").chmod(0o755)
    monkeypatch.setenv("PATH", f"{folder}:/usr/bin:/bin")


FAILING = {
    "no network": ("echo 'npm error code ENOTFOUND' >&2; exit 1", "ENOTFOUND"),
    "no registry": (
        "printf 'npm error code ECONNREFUSED\\nnpm error syscall connect\\nnpm error errno "
        "ECONNREFUSED\\nnpm error FetchError: request to https://r.test failed, reason: refused"
        "\\nnpm error A complete log of this run\\n' >&2; exit 1",
        "request to https://r.test failed, reason: refused",
    ),
    "no such version, of an old npm": (
        "printf 'npm WARN config old\\nnpm ERR! code ETARGET\\nnpm ERR! notarget No matching "
        "version found\\n' >&2; exit 1",
        "No matching version found",
    ),
    "asked to be silent": (
        'case "$*" in *--silent*) ;; *) echo "npm error network no route" >&2;; esac; exit 1',
        "no route",
    ),
    "silent": ("exit 3", "npm ended with 3"),
    "nothing": ("exit 0", "npm wrote no package"),
    "not a package": ("echo no > x.tgz", "not the package that was expected"),
    "an empty package": ("tar czf x.tgz -T /dev/null", "not the package that was expected"),
    "another version": (
        "mkdir -p package/dist; for n in "
        + " ".join(FILES)
        + "; do echo x > package/dist/$n; done; tar czf x.tgz package",
        f"is not that of version {VERSION}",
    ),
}


@pytest.mark.parametrize("case", FAILING)
def test_a_download_that_fails_is_one_message(
    case: str, tmp_path: Path, empty_cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script, message = FAILING[case]
    fake_npm(tmp_path, script, monkeypatch)
    with pytest.raises(EnvironmentFault, match=message) as error:
        runtime_files(None)
    assert "--runtime" in str(error.value)
    assert not list(empty_cache.iterdir())


def test_what_was_downloaded_is_kept_and_checked(
    tmp_path: Path, empty_cache: Path, ort: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import hashlib

    sums = {name: hashlib.sha256(name.encode()).hexdigest() for name in FILES}
    monkeypatch.setattr(runtime, "FILES", sums)
    script = f"echo once >> {tmp_path}/calls; mkdir package; cp -r {ort} package/dist"
    fake_npm(tmp_path, f"{script}; tar czf x.tgz package", monkeypatch)
    for _ in range(2):
        found = runtime.runtime_files(None)
        assert all(path.read_text() == name for name, path in found.items())
    assert (tmp_path / "calls").read_text() == "once\n"
    assert stat.S_IMODE(empty_cache.stat().st_mode) == 0o700
    (empty_cache / next(iter(FILES))).write_text("damaged")
    runtime.runtime_files(None)
    assert (tmp_path / "calls").read_text() == "once\nonce\n"


# -- the folder -----------------------------------------------------------------------------------


def test_a_page_is_written_whole_and_replaced_when_asked(
    contents: dict[str, Content], tmp_path: Path
) -> None:
    out = tmp_path / "page"
    check_page_folder(out, force=False)
    assert write_page(contents, out) == sum(
        path.stat().st_size for path in out.rglob("*") if path.is_file()
    )
    found = {path.relative_to(out).as_posix() for path in out.rglob("*") if path.is_file()}
    assert found == set(contents)
    with pytest.raises(UserError, match="--force"):
        check_page_folder(out, force=False)
    check_page_folder(out, force=True)
    (out / "old.txt").touch()
    write_page(contents, out)
    assert not (out / "old.txt").exists()
    assert sorted(path.name for path in tmp_path.iterdir() if "page" in path.name) == ["page"]


FOREIGN = (".git/config", "CNAME", "lib/mine.js/x", "models/notes.txt", "lib/.git/x", "ui/x.py")


@pytest.mark.parametrize("name", FOREIGN)
def test_what_is_not_of_a_page_is_not_removed(
    name: str, contents: dict[str, Content], tmp_path: Path
) -> None:
    out = tmp_path / "page"
    write_page(contents, out)
    # Files of another version of the page.
    for old in ("lib/old.js", "models/densenet161.onnx", "runtime/older.wasm"):
        (out / old).touch()
    # Files that desktops add are not the user's.
    for old in (".DS_Store", "models/Thumbs.db", "desktop.ini", "lib/._x.js"):
        (out / old).touch()
    check_page_folder(out, force=True)
    (out / name).parent.mkdir(parents=True, exist_ok=True)
    (out / name).write_text("mine")
    with pytest.raises(UserError, match="not part of a page") as error:
        check_page_folder(out, force=True)
    assert name.rpartition("/")[0] in str(error.value) and "new folder" in str(error.value)


def test_a_page_stays_if_the_new_one_cannot_take_its_place(
    contents: dict[str, Content], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = tmp_path / "page"
    write_page(contents, out)
    (out / SETTINGS).write_text("the old one")
    rename = os.rename

    def failing(source: Path, target: Path) -> None:
        if source.name == "page" and target == out:
            raise OSError(errno.EIO, "Input/output error")
        rename(source, target)

    monkeypatch.setattr(os, "rename", failing)
    with pytest.raises(UserError, match="cannot be written: Input/output error"):
        write_page(contents, out)
    assert (out / SETTINGS).read_text() == "the old one"
    assert sorted(path.name for path in tmp_path.iterdir() if "page" in path.name) == ["page"]


def test_a_page_stays_if_the_new_one_cannot_be_made(
    contents: dict[str, Content], tmp_path: Path
) -> None:
    out = tmp_path / "page"
    write_page(contents, out)
    with pytest.raises(UserError, match="cannot be written"):
        write_page({**contents, "models/x.onnx": tmp_path / "none"}, out)
    assert json.loads((out / SETTINGS).read_text())


def test_other_folders_are_not_written_to(contents: dict[str, Content], tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/thesis.txt").touch()
    (tmp_path / "file").touch()
    (tmp_path / "empty").mkdir()
    for name, message in {
        "mine": "holds other files",
        "file": "is a file",
        "none/page": "does not exist",
    }.items():
        with pytest.raises(UserError, match=message):
            check_page_folder(tmp_path / name, force=True)
    check_page_folder(tmp_path / "empty", force=False)
    write_page(contents, tmp_path / "empty")


def test_a_page_is_written_to_a_store(contents: dict[str, Content], store: ObjectStore) -> None:
    out = store.folder("page")
    check_page_folder(out, force=False)
    write_page(contents, out)
    assert json.loads((out / SETTINGS).read_bytes())["schema_version"] == 1
    with pytest.raises(UserError, match="--force"):
        check_page_folder(out, force=False)
