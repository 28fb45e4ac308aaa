"""Where an export is written: checked before the work, written whole."""

from __future__ import annotations

import os
from contextlib import AbstractContextManager, suppress
from pathlib import Path

from fer_tune.errors import ModelError, UserError, reading, reporting
from fer_tune.models.card_file import CARD, CARD_TEXT, WEIGHTS, is_model, write_card
from fer_tune.models.kept import KeptModel
from fer_tune.process.signals import signals_deferred
from fer_tune.schema import read_at_most
from fer_tune.schema.limits import MODEL_BYTES
from fer_tune.storage import AnyPath, UrlPath, read_bytes, remove_file, write_atomically
from fer_tune.storage.scratch import scratch

#: Suffixes of files, by format; the first is the usual one.
SUFFIXES = {"onnx": (".onnx",), "torchscript": (".pt", ".ts", ".torchscript")}

_OUT = "--out"
#: Files of a model folder; without the first it is no model.
_FILES = (CARD, CARD_TEXT, WEIGHTS)
#: Prefix of the folder in which a model is made that will replace another.
_BESIDE = ".new-model."


def check_file(out: AnyPath, kind: str, *, force: bool) -> None:
    """Raises UserError if no file of that format should be written to ``out``.

    Args:
        force: a file that is there is replaced.
    """
    suffixes = SUFFIXES[kind]
    if not out.name.lower().endswith(suffixes):
        raise UserError(
            f"should end with {' or '.join(suffixes)} for --format {kind}",
            where=_OUT,
            value=str(out),
            remedy=f"Use for example {out.name or 'model'}{suffixes[0]}, or another --format",
        )
    with reading(out, UserError):
        if isinstance(out, Path) and out.is_dir():
            raise UserError("is a folder, not a file", where=_OUT, value=str(out))
        _check_parent(out)
        if not force and out.is_file():
            raise _exists("there is already a file", out)


def check_folder(out: AnyPath, source: AnyPath, *, force: bool) -> None:
    """Raises UserError if no model folder should be written to ``out``.

    Args:
        source: the folder of the model.
        force: a model that is there is replaced.
    """
    with reading(out, UserError):
        if out.resolve() == source.resolve():
            raise UserError(
                "is the folder of the model itself",
                where=_OUT,
                value=str(out),
                remedy="Use another folder",
            )
        if isinstance(out, Path) and out.is_file():
            raise UserError(
                "is a file; --format safetensors makes a folder with weights and card",
                where=_OUT,
                value=str(out),
                remedy="Use the name of a new folder",
            )
        _check_parent(out)
        names = {one.name for one in out.iterdir()} if _is_folder(out) else set()
        if any(name not in _FILES and not name.startswith(_BESIDE) for name in names):
            raise UserError(
                "holds other files than a model",
                where=_OUT,
                value=str(out),
                remedy="Use the name of a new folder",
            )
        if is_model(out) and not force:
            raise _exists("there is already a model", out)


def write_file(out: AnyPath, content: bytes) -> None:
    """Writes an exported file whole, or not at all.

    Raises:
        UserError: it cannot be written.
    """
    with _writing(out):
        write_atomically(out, content)


def copy_model(kept: KeptModel, out: AnyPath) -> int:
    """Copies weights and card into the folder ``out``; returns the bytes of the weights.

    A model that is there is replaced, and stays if the new one cannot be written.

    Raises:
        ModelError: the weights cannot be read any more.
        UserError: ``out`` cannot be written.
    """
    with reading(kept.folder / WEIGHTS, ModelError):
        content = read_at_most(kept.folder / WEIGHTS, MODEL_BYTES)
    with _writing(out):
        if isinstance(out, UrlPath):
            _put_at_url(kept, content, out)
        elif out.exists():
            # Inside it, as the folder may be a mount point.
            with scratch(out, _BESIDE) as folder:
                _put(kept, content, folder / "new")
                _swap(folder / "new", out, folder)
        else:
            with scratch(out.parent, f".{out.name}.") as folder:
                _put(kept, content, folder / out.name)
                os.rename(folder / out.name, out)
    return len(content)


def _put(kept: KeptModel, content: bytes, folder: AnyPath) -> None:
    write_atomically(folder / WEIGHTS, content)
    write_card(kept.card, folder)


def _swap(made: Path, out: Path, aside: Path) -> None:
    """Moves the model in ``made`` to ``out``, and what is there to ``aside``; all or nothing."""
    moved: list[str] = []
    placed: list[str] = []
    with signals_deferred():
        try:
            # The card goes first and comes last: one model never has the other's weights.
            for name in _FILES:
                with suppress(FileNotFoundError):
                    os.rename(out / name, aside / name)
                    moved.append(name)
            for name in reversed(_FILES):
                os.rename(made / name, out / name)
                placed.append(name)
        except BaseException:
            for name in placed:
                remove_file(out / name)
            for name in reversed(moved):
                os.replace(aside / name, out / name)
            raise


def _put_at_url(kept: KeptModel, content: bytes, out: UrlPath) -> None:
    """Replaces what is at a URL; after an error it is written again, as a store cannot move it."""
    before = {name: read_bytes(out / name) for name in _FILES if (out / name).is_file()}
    try:
        # The weights first, which take long: if they fail, nothing has changed. The checksum on
        # the card keeps it from being used with the other's weights.
        _put(kept, content, out)
    except BaseException:
        for name in reversed(_FILES):
            with suppress(OSError):
                if name in before:
                    write_atomically(out / name, before[name])
                else:
                    remove_file(out / name)
        raise


def _check_parent(out: AnyPath) -> None:
    if isinstance(out, Path) and not out.parent.is_dir():
        raise UserError(
            "the folder for it does not exist",
            where=_OUT,
            value=str(out),
            remedy=f"Make it first: mkdir -p {out.parent}",
        )


def _is_folder(out: AnyPath) -> bool:
    return out.is_dir() if isinstance(out, Path) else True


def _exists(what: str, out: AnyPath) -> UserError:
    return UserError(
        what, where=_OUT, value=str(out), remedy="Use another name, or replace it with --force"
    )


def _writing(out: AnyPath) -> AbstractContextManager[None]:
    return reporting("cannot be written", out, "Check the path given as --out", UserError)
