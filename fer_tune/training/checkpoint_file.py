"""The file that holds a run's state: copied to the CPU at once, written later."""

from __future__ import annotations

import errno
from pathlib import Path
from typing import Any

import torch

CHECKPOINT_FILE = "trial.pt"


def copied(state: Any) -> Any:
    """``state`` with a copy of every tensor, on the CPU; mappings, lists and tuples are kept.

    The copy shares no memory with ``state``, so training may change the latter in place.
    """
    if isinstance(state, torch.Tensor):
        return state.detach().to("cpu", copy=True)
    if isinstance(state, dict):
        return {name: copied(value) for name, value in state.items()}
    if isinstance(state, list | tuple):
        return type(state)(copied(value) for value in state)
    return state


def write_state(state: dict[str, Any], folder: Path) -> None:
    """Writes ``state`` to :data:`CHECKPOINT_FILE` in ``folder``.

    Raises:
        OSError: from the disk.
    """
    path = folder / CHECKPOINT_FILE
    try:
        torch.save(state, path)
    except RuntimeError as error:
        if "inline_container" not in str(error):
            raise
        # This is how torch reports a partial write.
        text = "a checkpoint was written only in part: the disk is full"
        raise OSError(errno.EIO, text, str(path)) from error
