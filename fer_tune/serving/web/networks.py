"""Kept models as ONNX files for the page; they are made once and then kept in the cache."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path

from fer_tune import __version__
from fer_tune.data import PackedDataset
from fer_tune.errors import ModelError
from fer_tune.escaping import shell_word
from fer_tune.models.card import Card
from fer_tune.models.kept import KeptModel
from fer_tune.serving.export.whole import make
from fer_tune.serving.finding import arm_models, find_model
from fer_tune.serving.web.cache import cache_folder
from fer_tune.storage import AnyPath, write_atomically
from fer_tune.storage.private import is_private_file

#: Files that the cache keeps: the arms of two searches. A DenseNet-161 has 100 MiB.
_MOST_FILES = 4
#: Models that a page compares, at most: each takes its time for every frame.
MOST_MODELS = 4


@dataclass(frozen=True, kw_only=True)
class PageModel:
    """A classifier of a page.

    Attributes:
        precision: ``float32`` or ``int8``.
        file: ONNX, of the variant ``outside``.
    """

    card: Card
    precision: str
    file: Path


def chosen_models(model: str, compare: str | None) -> list[KeptModel]:
    """The model that the user named, and before or after it those to compare it with.

    Args:
        compare: another model, or a results folder, of which every arm is compared.

    Raises:
        ModelError: no model there, or too many.
    """
    from fer_tune.storage import any_path

    found = {kept.card.sha256: kept for kept in [find_model(model)]}
    if compare is None:
        return list(found.values())
    for folder in _arms(any_path(compare)):
        kept = find_model(folder)
        found.setdefault(kept.card.sha256, kept)
    if len(found) == 1:
        raise ModelError(
            "there is no other model than MODEL itself to compare with",
            where="--compare",
            value=compare,
            remedy="Name a results folder with two arms, or another model",
        )
    if len(found) > MOST_MODELS:
        raise ModelError(
            f"a page compares at most {MOST_MODELS} models",
            where="--compare",
            value=f"{len(found)} models",
            remedy=f"Name one of its models, such as {shell_word(compare)}/models/ARM",
        )
    # In the order of the arms' names, whichever of them was named.
    return sorted(found.values(), key=lambda kept: kept.card.arm)


def _arms(where: AnyPath) -> Sequence[AnyPath]:
    """Model folders: of a results folder all, else the folder itself, which may be no model."""
    return list(arm_models(where)) if (where / "manifest.json").is_file() else [where]


def page_models(
    models: Sequence[KeptModel],
    *,
    dataset: PackedDataset | None,
    int8: bool,
    beginning: Callable[[KeptModel], None],
) -> list[PageModel]:
    """The ONNX files of ``models``, from the cache or made and checked.

    Args:
        dataset: see :func:`fer_tune.serving.export.whole.make`.
        beginning: called before a file is made, which takes up to minutes.

    Raises:
        UserError, ModelError, EnvironmentFault: as ``make``.
    """
    precision = "int8" if int8 else "float32"
    cache = cache_folder("models")
    found = []
    for kept in models:
        file = cache / f"{_key(kept.card, precision, dataset)}.onnx"
        if not (file.is_file() and is_private_file(file.lstat())):
            beginning(kept)
            made = make(kept, "onnx", variant="outside", dataset=dataset, int8=int8)
            write_atomically(file, made.content)
        with suppress(OSError):
            file.touch()
        found.append(PageModel(card=kept.card, precision=precision, file=file))
    _prune(cache, {one.file for one in found})
    return found


def _key(card: Card, precision: str, dataset: PackedDataset | None) -> str:
    """Names a file by all that it is made from."""
    parts = [
        card.model_dump_json(),
        precision,
        "" if dataset is None else dataset.fingerprint,
        __version__,
        *(_version(library) for library in ("torch", "onnx", "onnxscript", "onnxruntime")),
    ]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]


def _version(library: str) -> str:
    """Of the module: its package may have another name, such as ``onnxruntime-gpu``."""
    return str(import_module(library).__version__)


def _prune(cache: Path, used: set[Path]) -> None:
    """Removes what was unused longest; another process that serves it has to be started again."""
    with suppress(OSError):
        files = sorted(cache.glob("*.onnx"), key=lambda path: path.stat().st_mtime, reverse=True)
        for path in files[_MOST_FILES:]:
            if path not in used:
                path.unlink(missing_ok=True)
