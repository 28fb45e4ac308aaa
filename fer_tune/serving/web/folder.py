"""The page as a folder of static files, for any web server."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from fer_tune.errors import UserError, reading, reporting
from fer_tune.process.signals import signals_deferred
from fer_tune.serving.web.contents import SETTINGS, Content, is_part
from fer_tune.storage import AnyPath, UrlPath, write_atomically
from fer_tune.storage.scratch import scratch

_OUT = "--out"
_OF_DESKTOPS = (".ds_store", "thumbs.db", "desktop.ini", ".directory")


def check_page_folder(out: AnyPath, *, force: bool) -> None:
    """Raises UserError if no page should be written to ``out``.

    Args:
        force: a page that is there is replaced.
    """
    with reading(out, UserError):
        if isinstance(out, Path):
            if out.is_file():
                raise _wrong("is a file; --format web makes a folder", out)
            if not out.absolute().parent.is_dir():
                raise UserError(
                    "the folder for it does not exist",
                    where=_OUT,
                    value=str(out),
                    remedy=f"Make it first: mkdir -p {out.absolute().parent}",
                )
            if not out.is_dir() or not any(out.iterdir()):
                return
        is_page = (out / SETTINGS).is_file() and (out / "index.html").is_file()
        if is_page and not force:
            raise UserError(
                "there is already a page",
                where=_OUT,
                value=str(out),
                remedy="Use another name, or replace it with --force",
            )
        if not is_page and any(out.iterdir()):
            raise _wrong("holds other files than a page", out)
        # A store keeps what is not overwritten; a folder is replaced as a whole.
        foreign = _foreign(out) if isinstance(out, Path) else []
    if foreign:
        more = f" and {len(foreign) - 1} more" if len(foreign) > 1 else ""
        raise UserError(
            f"holds what is not part of a page, and would be removed: {foreign[0]}{more}",
            where=_OUT,
            value=str(out),
            remedy="Move it to another folder, or export to a new folder and copy that here",
        )


def _foreign(folder: Path) -> list[str]:
    """What a page of any version does not have, below ``folder``."""
    return sorted(
        name
        for path in folder.rglob("*")
        if not is_part(name := path.relative_to(folder).as_posix(), is_folder=path.is_dir())
        and not _of_desktop(path)
    )


def _of_desktop(path: Path) -> bool:
    """Whether a desktop writes it into every folder that it shows."""
    name = path.name.casefold()
    return path.is_file() and (name in _OF_DESKTOPS or name.startswith("._"))


def _wrong(what: str, out: AnyPath) -> UserError:
    return UserError(what, where=_OUT, value=str(out), remedy="Use the name of a new folder")


def write_page(contents: Mapping[str, Content], out: AnyPath) -> int:
    """Writes a page to ``out``; one that is there is replaced once the new one is complete.

    Returns:
        Bytes that were written.

    Raises:
        UserError: it cannot be written.
    """
    with reporting("cannot be written", out, "Check the path given as --out", UserError):
        if isinstance(out, UrlPath):
            return _put(contents, out)
        out = out.absolute()
        with scratch(out.parent, f".{out.name}.") as folder:
            made = folder / "page"
            size = _copy(contents, made)
            with signals_deferred():
                _replace(out, made, folder / "old")
    return size


def _replace(out: Path, made: Path, old: Path) -> None:
    """Puts ``made`` in the place of ``out``, which stays if that fails."""
    if out.is_dir():
        os.rename(out, old)
    try:
        os.rename(made, out)
    except OSError:
        if old.is_dir():
            os.rename(old, out)
        raise


def _copy(contents: Mapping[str, Content], folder: Path) -> int:
    size = 0
    for name, content in contents.items():
        place = folder / name
        place.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, bytes):
            place.write_bytes(content)
        else:
            shutil.copyfile(content, place)
        size += place.stat().st_size
    return size


def _put(contents: Mapping[str, Content], out: UrlPath) -> int:
    """To a store, which has no folders to rename: the settings last, as they name the rest."""
    size = 0
    for name in sorted(contents, key=lambda name: name == SETTINGS):
        content = contents[name]
        data = content if isinstance(content, bytes) else content.read_bytes()
        write_atomically(out / name, data)
        size += len(data)
    return size
