"""A backbone's weights: from a torchvision recipe, a file, or none.

Nothing is downloaded unless requested: ``fer-tune weights fetch`` downloads files, a search
finds them or reports immediately which are missing.
"""

from __future__ import annotations

import hashlib
import logging
import os
import re
import warnings
from functools import lru_cache
from pathlib import Path
from urllib.error import URLError

import torch
from safetensors.torch import load_file
from torch import Tensor

from fer_tune.errors import WeightsError, because, reading, reporting
from fer_tune.models.file_layouts import SAVE_TENSORS, named_tensors
from fer_tune.models.registry import Backbone, without_values
from fer_tune.process import home_folder
from fer_tune.storage.scratch import scratch

logger = logging.getLogger(__name__)

#: The start of a file's SHA-256, as torchvision puts it into the name.
_HASH = re.compile(r"-([0-9a-f]{8,})\.\w+$")

#: How torch names the class or function that it refused to call.
_REFUSED = re.compile(r"GLOBAL ([\w.]+)")


def weights_folder() -> Path:
    """Folder of downloaded recipe files: ``$FER_TUNE_WEIGHTS`` or ``~/.cache/fer_tune/weights``."""
    set_by_user = os.environ.get("FER_TUNE_WEIGHTS")
    return Path(set_by_user) if set_by_user else home_folder() / ".cache/fer_tune/weights"


def locate(backbone: Backbone, weights: str) -> Path | None:
    """The file that ``weights`` means for ``backbone``; None for ``none``.

    ``weights`` is a recipe (``imagenet-v1``, ``imagenet-v2``), ``none``, or a path: a file, a
    folder that holds ``<backbone>.safetensors`` or ``<backbone>.pth``, or either with
    ``{backbone}`` in it.

    Raises:
        WeightsError: there is no such file, or the backbone has no such recipe.
    """
    if weights == "none":
        return None
    if weights.startswith("imagenet-"):
        return _locate_recipe(backbone, weights)
    path = Path(os.path.expanduser(weights.replace("{backbone}", backbone.name)))
    if path.is_dir():
        candidates = [path / f"{backbone.name}{suffix}" for suffix in (".safetensors", ".pth")]
        path = next((c for c in candidates if c.is_file()), candidates[0])
    if not path.is_file():
        raise WeightsError(
            f"no weights file for {backbone.name}",
            where="weights",
            value=str(path),
            remedy="Use a .safetensors or .pth file, a folder with one per backbone, or a recipe",
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
        remedy=f"Run `fer-tune weights fetch {backbone.name} --recipe {recipe}` on a machine with "
        "internet access (then copy the file here), or search with --set weights=none",
    )


def fetch(backbone: Backbone, recipe: str, folder: Path | None = None) -> Path:
    """Downloads a recipe's file into ``folder``, unless a valid one is already there.

    Its SHA-256 must begin as its name says (torchvision's ``resnet18-f37072fd.pth``). A damaged
    file is replaced once the download is complete.

    Returns:
        where it is.

    Raises:
        WeightsError: no such recipe, the folder cannot be created, something other than a file is
            in its place, or the download failed.
    """
    folder = folder or weights_folder()
    url = backbone.recipe(recipe).url
    target = folder / Path(url).name
    prefix = _hash_in_name(target)
    if _is_right(target, prefix):
        return target
    remedy = "Choose another folder with --folder"
    with reporting("cannot be created", folder, remedy, WeightsError):
        folder.mkdir(parents=True, exist_ok=True)
    try:
        with scratch(folder, f".{target.name}.") as temporary:
            whole = temporary / target.name
            torch.hub.download_url_to_file(url, str(whole), hash_prefix=prefix)
            whole.replace(target)
    except (URLError, OSError, RuntimeError) as error:
        raise WeightsError(
            f"could not download the {recipe} weights of {backbone.name}: {error}",
            where="weights fetch",
            value=url,
            remedy=f"Download that file elsewhere and put it into {folder}",
        ) from None
    return target


def _hash_in_name(file: Path) -> str:
    found = _HASH.search(file.name)
    assert found, f"torchvision names its files by their hash, not {file.name}"
    return found[1]


def _is_right(target: Path, prefix: str) -> bool:
    """Whether the file exists and has the hash; logs a damaged one.

    Raises:
        WeightsError: it is a folder or the like, or cannot be read.
    """
    if not target.exists():  # missing, or a dangling link
        return False
    if not target.is_file():
        raise WeightsError(
            "is not a file", where=str(target), remedy="Remove it, or choose another --folder"
        )
    with reading(target, WeightsError), target.open("rb") as file:
        if hashlib.file_digest(file, "sha256").hexdigest().startswith(prefix):
            return True
    logger.warning("%s is damaged or another file; downloading it again", target)
    return False


def read_state(path: Path, backbone: Backbone) -> dict[str, Tensor]:
    """The backbone's tensors of a weights file, classifier left out, names made current.

    The file holds the network's tensors, a training checkpoint with them, or the tensors of a
    module that wraps the network (``file_layouts.py``).

    Raises:
        WeightsError: unreadable, or tensors missing, unknown or of the wrong shape.
    """
    state = {
        name: tensor
        for name, tensor in named_tensors(_loaded(path), _shapes(backbone), path).items()
        if not name.startswith(backbone.head_prefix)
    }
    check_fit(state, backbone, str(path))
    return state


def _loaded(path: Path) -> object:
    """The content of a weights file, read without running code in it."""
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        with warnings.catch_warnings():
            # torch warns about foreign pickles; the result is checked anyway.
            warnings.simplefilter("ignore")
            return torch.load(path, map_location="cpu", weights_only=True)
    except PermissionError as error:
        raise WeightsError(
            f"cannot be read: {because(error)}", where=str(path), remedy="Check its permissions"
        ) from None
    except Exception as error:
        # Foreign and damaged files make the readers raise almost any exception.
        if refused := _REFUSED.search(str(error)):
            raise WeightsError(
                "contains Python objects besides tensors; as reading them could run code, it was "
                "not read",
                where=str(path),
                value=refused[1],
                remedy=SAVE_TENSORS,
            ) from None
        raise WeightsError(
            "is truncated, damaged or not a weights file",
            where=str(path),
            value=f"{path.stat().st_size:,} bytes",
            remedy="Use a .safetensors file, or a .pth file that contains model.state_dict()",
        ) from None


def _shapes(backbone: Backbone) -> dict[str, torch.Size]:
    """Shapes of the backbone's tensors by name, without the head."""
    with without_values():
        state = backbone.module().state_dict()
    return {n: t.shape for n, t in state.items() if not n.startswith(backbone.head_prefix)}


def check_fit(state: dict[str, Tensor], backbone: Backbone, where: str) -> None:
    """Raises WeightsError unless ``state`` has exactly the tensors of the backbone without head."""
    wanted = _shapes(backbone)
    # Files from before batch norm counted its batches lack these; they play no part in inference.
    missing = [n for n in wanted if n not in state and not n.endswith("num_batches_tracked")]
    unknown = [n for n in state if n not in wanted]
    misshapen = [n for n in wanted if n in state and state[n].shape != wanted[n]]
    shapes = [f"{n} is {_shape(state[n].shape)}, not {_shape(wanted[n])}" for n in misshapen]
    mismatches = [
        f"{len(names)} {kind} ({names[0]}{', ...' if len(names) > 1 else ''})"
        for names, kind in (
            (missing, "missing"),
            (unknown, "unknown"),
            (shapes, "of another shape"),
        )
        if names
    ]
    if mismatches:
        raise WeightsError(
            f"these weights do not fit {backbone.name}: {'; '.join(mismatches)}",
            where=where,
            remedy=f"Use weights of {backbone.name}, or change the backbone",
        )


def _shape(shape: torch.Size) -> str:
    return "x".join(map(str, shape)) or "a single number"


@lru_cache(maxsize=8)
def file_fingerprint(path: Path) -> str:
    """SHA-256 of a weights file, read once per process."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
