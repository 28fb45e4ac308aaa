"""Which files of the working tree go with a job."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from fer_tune.data.dataset import DESCRIPTION, PIXELS

#: Folders that no job needs, where there is no git to say so.
_NO_FOLDERS = frozenset(
    {
        "__pycache__",
        "build",
        "data",
        "dist",
        "node_modules",
        "results",
        "venv",
        "weights",
    }
)
#: Files by their ending: weights, packed pictures, archives, secrets.
_NO_ENDINGS = (".bin", ".pem", ".pth", ".pt", ".pyc", ".safetensors", ".tar", ".tar.gz", ".zip")
#: Marks of a folder of pictures or of a whole search, each with its manifest.
_MARKS = ({DESCRIPTION, PIXELS}, {"events.jsonl", "manifest.json"})
#: Packages of the install; a tree that has one of its own would hide it on the cluster.
_OURS = ("fer_tune", "analysis", "search_spaces")


@dataclass(frozen=True, kw_only=True)
class Tree:
    """A working tree, and what of it goes with a job.

    Attributes:
        root: the top of the git repository, or the folder itself where there is none.
        files: sorted, relative to ``root``; regular files alone.
        left_out: how many files were left out for lying in a packed dataset or a results folder.
        commit: of git, with ``-dirty`` when files differ from it; empty without git.
        own: whether it is the source of fer_tune, which then runs on the cluster.
    """

    root: Path
    files: tuple[PurePosixPath, ...]
    left_out: int
    commit: str
    own: bool

    def hidden(self) -> tuple[str, ...]:
        """Packages of fer_tune that this tree, which is not its source, would stand before."""
        if self.own:
            return ()
        listed = set(map(str, self.files))
        return tuple(
            name for name in _OURS if f"{name}.py" in listed or f"{name}/__init__.py" in listed
        )


def working_tree(folder: Path) -> Tree:
    """The working tree that ``folder`` is in.

    With git: tracked files, and untracked ones that are not ignored. Without: all but hidden
    ones, caches, environments, results, data and weights.
    """
    top = _git(folder, "rev-parse", "--show-toplevel")
    root = Path(top.strip()) if top else folder.resolve()
    listed = _git(root, "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    if top and listed is not None:
        names = {PurePosixPath(name) for name in listed.split("\0") if name}
    else:
        top, names = None, set(_walked(root))
    present = {name for name in names if (root / name).is_file()}
    kept = _without_pictures(present)
    return Tree(
        root=root,
        files=tuple(sorted(kept)),
        left_out=len(present) - len(kept),
        commit=_commit(root) if top else "",
        own=_is_own(root),
    )


def _is_own(root: Path) -> bool:
    """Whether fer_tune itself is developed here."""
    project = root / "pyproject.toml"
    try:
        named = 'name = "fer-tune"' in project.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return False
    return named and (root / "fer_tune" / "__init__.py").is_file()


def _without_pictures(files: set[PurePosixPath]) -> set[PurePosixPath]:
    """``files`` without packed datasets and results folders, which may hold people's faces."""
    inside: dict[PurePosixPath, set[str]] = {}
    for file in files:
        inside.setdefault(file.parent, set()).add(file.name)
    marked = {folder for folder, names in inside.items() if any(m <= names for m in _MARKS)}
    return {file for file in files if marked.isdisjoint(file.parents)}


def _walked(root: Path) -> list[PurePosixPath]:
    found = []
    for folder, folders, names in os.walk(root):
        folders[:] = [
            name for name in folders if name not in _NO_FOLDERS and not name.startswith(".")
        ]
        for name in names:
            if not name.startswith(".") and not name.endswith(_NO_ENDINGS):
                found.append(PurePosixPath((Path(folder) / name).relative_to(root).as_posix()))
    return found


def _commit(root: Path) -> str:
    head = _git(root, "rev-parse", "HEAD")
    if not head:
        return ""
    changed = _git(root, "status", "--porcelain")
    return head.strip() + ("-dirty" if changed else "")


def _git(folder: Path, *words: str) -> str | None:
    """What git says; None without git, or where it has nothing to say."""
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *words], capture_output=True, check=False, timeout=60
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.decode(errors="surrogateescape") if done.returncode == 0 else None
