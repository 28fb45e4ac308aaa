"""Where a backbone's weights come from: a torchvision recipe, a file, or nowhere.

Nothing is downloaded behind the user's back: ``fer-tune weights fetch`` stages files, a search
finds them or says at once which are missing.
"""

from __future__ import annotations

import hashlib
import os
import re
import warnings
from functools import lru_cache
from pathlib import Path
from urllib.error import URLError

import torch
from safetensors.torch import load_file
from torch import Tensor

from fer_tune.errors import WeightsError
from fer_tune.models.registry import Backbone

#: torchvision's DenseNet files are older than the ban on dots in module names.
_OLD_DENSENET = re.compile(
    r"^(.*denselayer\d+\.(?:norm|relu|conv))\.((?:[12])\.(?:weight|bias|running_mean|running_var))$"
)

#: How torch names the class or function that it refused to call.
_REFUSED = re.compile(r"GLOBAL ([\w.]+)")

_SAVE = "Save model.state_dict() alone, not the model or a training checkpoint"


def weights_folder() -> Path:
    """Where staged recipe files live: ``$FER_TUNE_WEIGHTS`` or ``~/.cache/fer_tune/weights``."""
    set_by_user = os.environ.get("FER_TUNE_WEIGHTS")
    return Path(set_by_user) if set_by_user else Path.home() / ".cache" / "fer_tune" / "weights"


def is_recipe(weights: str) -> bool:
    return weights.startswith("imagenet-")


def locate(backbone: Backbone, weights: str) -> Path | None:
    """The file that ``weights`` means for ``backbone``; None for ``none``.

    ``weights`` is a recipe (``imagenet-v1``, ``imagenet-v2``), ``none``, or a path: a file, a
    folder that holds ``<backbone>.safetensors`` or ``<backbone>.pth``, or either with
    ``{backbone}`` in it.

    Raises:
        WeightsError: the file is not there, or the backbone has no such recipe.
    """
    if weights == "none":
        return None
    if is_recipe(weights):
        return _locate_recipe(backbone, weights)
    path = Path(weights.replace("{backbone}", backbone.name)).expanduser()
    if path.is_dir():
        candidates = [path / f"{backbone.name}{suffix}" for suffix in (".safetensors", ".pth")]
        path = next((c for c in candidates if c.is_file()), candidates[0])
    if not path.is_file():
        raise WeightsError(
            f"no weights file for {backbone.name}",
            where="weights",
            value=str(path),
            remedy="Name a .safetensors or .pth file, a folder with one per backbone, or a recipe",
        )
    return path


def _locate_recipe(backbone: Backbone, recipe: str) -> Path:
    name = Path(backbone.recipe(recipe).url).name
    places = [weights_folder(), Path(torch.hub.get_dir()) / "checkpoints"]
    for place in places:
        if (place / name).is_file():
            return place / name
    raise WeightsError(
        f"the {recipe} weights of {backbone.name} are not on this machine: no {name}",
        where="weights",
        value=str(places[0]),
        remedy=f"Run `fer-tune weights fetch {backbone.name} --recipe {recipe}` where there is"
        " internet (then copy the file here), or search with --set weights=none",
    )


def fetch(backbone: Backbone, recipe: str, folder: Path | None = None) -> Path:
    """Downloads a recipe's file into ``folder`` and checks its hash; returns where it is.

    Raises:
        WeightsError: no such recipe, the folder cannot be made, or the download failed.
    """
    folder = folder or weights_folder()
    entry = backbone.recipe(recipe)
    target = folder / Path(entry.url).name
    if target.is_file():
        return target
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise WeightsError(
            f"cannot be made: {error.strerror}",
            where=str(folder),
            remedy="Name another folder with --folder",
        ) from None
    try:
        torch.hub.load_state_dict_from_url(
            entry.url, model_dir=str(folder), check_hash=True, weights_only=True
        )
    except (URLError, OSError, RuntimeError) as error:
        raise WeightsError(
            f"could not download the {recipe} weights of {backbone.name}: {error}",
            where="weights fetch",
            value=entry.url,
            remedy=f"Fetch that file elsewhere and put it into {folder}",
        ) from None
    return target


def read_state(path: Path, backbone: Backbone) -> dict[str, Tensor]:
    """The backbone's tensors of a weights file, classifier left out, names made current.

    Raises:
        WeightsError: unreadable, or tensors missing, unknown or of the wrong shape.
    """
    state = {
        _OLD_DENSENET.sub(r"\1\2", name): tensor
        for name, tensor in _tensors(_loaded(path), path).items()
        if not name.startswith(backbone.head_prefix)
    }
    _check_fit(state, backbone, path)
    return state


def _loaded(path: Path) -> object:
    """Whatever a weights file holds, read without running code that it may bring."""
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        with warnings.catch_warnings():
            # torch warns of foreign pickles; the outcome says it all.
            warnings.simplefilter("ignore")
            return torch.load(path, map_location="cpu", weights_only=True)
    except PermissionError as error:
        raise WeightsError(
            f"cannot be read: {error.strerror}", where=str(path), remedy="Check its rights"
        ) from None
    except Exception as error:
        # Foreign and damaged files make the readers raise nearly anything.
        if refused := _REFUSED.search(str(error)):
            raise WeightsError(
                "holds Python objects beside tensors, and reading them could run code; "
                "it was not read",
                where=str(path),
                value=refused[1],
                remedy=_SAVE,
            ) from None
        raise WeightsError(
            "is cut short, damaged or no weights file",
            where=str(path),
            value=f"{path.stat().st_size:,} bytes",
            remedy="Give a .safetensors file, or a .pth file that holds model.state_dict()",
        ) from None


def _tensors(loaded: object, path: Path) -> dict[str, Tensor]:
    """``loaded`` if it is a mapping of names to tensors."""
    found = type(loaded).__name__
    if isinstance(loaded, dict):
        kinds = {
            name: type(value).__name__
            for name, value in loaded.items()
            if not isinstance(name, str) or not isinstance(value, Tensor)
        }
        if not kinds:
            return loaded
        name, kind = next(iter(kinds.items()))
        found = f"{name!r}: {kind}"
    raise WeightsError(
        "holds something else than names and their tensors",
        where=str(path),
        value=found[:80],
        remedy=_SAVE,
    )


def _check_fit(state: dict[str, Tensor], backbone: Backbone, path: Path) -> None:
    with torch.device("meta"):
        wanted = {
            name: tensor.shape
            for name, tensor in backbone.module().state_dict().items()
            if not name.startswith(backbone.head_prefix)
        }
    # Files from before batch norm counted its batches lack these; they play no part in inference.
    missing = [n for n in wanted if n not in state and not n.endswith("num_batches_tracked")]
    unknown = [n for n in state if n not in wanted]
    misshapen = [n for n in wanted if n in state and state[n].shape != wanted[n]]
    shapes = [f"{n} is {_shape(state[n].shape)}, not {_shape(wanted[n])}" for n in misshapen]
    told = [
        f"{len(names)} {fault} ({names[0]}{', ...' if len(names) > 1 else ''})"
        for names, fault in (
            (missing, "missing"),
            (unknown, "unknown"),
            (shapes, "of another shape"),
        )
        if names
    ]
    if told:
        raise WeightsError(
            f"these weights are not of {backbone.name}, by their tensors: {'; '.join(told)}",
            where=str(path),
            remedy=f"Give weights of {backbone.name}, or change the backbone",
        )


def _shape(shape: torch.Size) -> str:
    return "x".join(map(str, shape)) or "a single number"


@lru_cache(maxsize=8)
def file_fingerprint(path: Path) -> str:
    """SHA-256 of a weights file, read once per process."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
