"""Which files of the working tree go with a job."""

from __future__ import annotations

import os
import stat
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from fer_tune.cluster.jobs.included import Included, below, chosen, link_refused
from fer_tune.cluster.screening import Reason, by_content, by_name
from fer_tune.data.dataset import DESCRIPTION, PIXELS

#: Folders that no job needs, if there is no git repository.
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
#: Files that identify a packed dataset or a results folder.
_DATA_FILES = ((DESCRIPTION, PIXELS), ("events.jsonl", "manifest.json"))
#: Packages of the install; a tree that has one of its own would hide it on the cluster.
_OURS = ("fer_tune", "analysis", "search_spaces")
#: Bytes of a file that are judged; a file with more does not fit into a package.
_JUDGED = 100 * 1024**2


@dataclass(frozen=True, kw_only=True)
class Tree:
    """A working tree, and what of it goes with a job.

    Attributes:
        root: the top of the git repository, or the folder itself where there is none.
        files: sorted, relative to ``root``; regular files, and links to such among them.
        reasons: what was left out, and why; sorted.
        commit: of git, with ``-dirty`` when files differ from it; empty without git.
        own: whether it is the source of fer_tune, which then runs on the cluster.
        links: of ``files``, those that are links, and the file of the tree that each leads to.
    """

    root: Path
    files: tuple[PurePosixPath, ...]
    reasons: Mapping[Reason, tuple[PurePosixPath, ...]]
    commit: str
    own: bool
    links: Mapping[PurePosixPath, PurePosixPath] = field(default_factory=dict)

    @property
    def left_out(self) -> int:
        """How many files were left out."""
        return sum(map(len, self.reasons.values()))

    def hidden(self) -> tuple[str, ...]:
        """Packages of fer_tune that this tree, which is not its source, would hide."""
        if self.own:
            return ()
        listed = set(map(str, self.files))
        return tuple(
            name for name in _OURS if f"{name}.py" in listed or f"{name}/__init__.py" in listed
        )

    @contextmanager
    def opened(self, file: PurePosixPath) -> Iterator[BinaryIO]:
        """One of ``files``, for reading.

        Raises:
            OSError: it was deleted, or is no longer a regular file.
        """
        with opened_below(self.root, self.links.get(file, file)) as content:
            yield content


def working_tree(folder: Path, include: Sequence[str] = ()) -> Tree:
    """The working tree that ``folder`` is in.

    With git: tracked files, and untracked ones that are not ignored. Without: all but hidden
    ones, caches, environments, results, data and weights. In both cases without what
    :mod:`fer_tune.cluster.screening` refuses, and without links to anything that is not sent.

    Args:
        include: names and patterns of files that are sent nevertheless, relative to the top.

    Raises:
        EnvironmentFault: something in ``include`` names no file of the tree, or a link to one
            that is not sent.
    """
    top = _git(folder, "rev-parse", "--show-toplevel")
    root = (Path(top.removesuffix("\n")) if top else folder).resolve()
    listed = _git(root, "ls-files", "-z", "--cached", "--others", "--exclude-standard")
    if top and listed is not None:
        names = {PurePosixPath(name) for name in listed.split("\0") if name}
    else:
        top, names = None, {file for file in below(root, _is_searched) if _is_listed(file)}
    named = chosen(root, include, names)
    judge = _Judge(root, named)
    judge.all(names | named.files)
    return Tree(
        root=root,
        files=tuple(sorted(judge.kept)),
        reasons={why: tuple(sorted(judge.left[why])) for why in Reason if judge.left[why]},
        commit=_commit(root) if top else "",
        own=_is_own(root),
        links=judge.links,
    )


@contextmanager
def opened_below(root: Path, file: PurePosixPath) -> Iterator[BinaryIO]:
    """A regular file below ``root``, for reading; no link is followed on the way to it.

    Raises:
        OSError: not found, a link or behind one, or not a regular file.
    """
    folder = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
    try:
        for part in file.parent.parts:
            inner = os.open(part, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=folder)
            os.close(folder)
            folder = inner
        # O_NONBLOCK: a pipe may have replaced the file.
        found = os.open(file.name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=folder)
    finally:
        os.close(folder)
    with os.fdopen(found, "rb") as content:
        if not stat.S_ISREG(os.fstat(found).st_mode):
            raise OSError(0, "is not a regular file")
        yield content


class _Judge:
    """Divides files into those that are sent and those that are left out."""

    def __init__(self, root: Path, named: Included) -> None:
        self._root = root
        self._named = named
        self._marked: dict[PurePosixPath, bool] = {}
        self.kept: set[PurePosixPath] = set()
        self.links: dict[PurePosixPath, PurePosixPath] = {}
        self.left: dict[Reason, set[PurePosixPath]] = {reason: set() for reason in Reason}

    def all(self, names: set[PurePosixPath]) -> None:
        """Judges ``names``; skips folders and missing files.

        Raises:
            EnvironmentFault: one that the user names is a link to a file that is not sent.
        """
        links: dict[PurePosixPath, PurePosixPath | None] = {}
        for name in names:
            try:
                real = (self._root / name).resolve()
            except (OSError, RuntimeError):
                continue  # a link to itself
            if not real.is_relative_to(self._root):
                if real.exists():
                    links[name] = None
            elif real.is_file():
                if real == self._root / name:
                    self._put(name, self._reason(name))
                else:
                    links[name] = PurePosixPath(real.relative_to(self._root))
        for name, target in links.items():  # after their targets have been judged
            self._put(name, self._reason_of_link(name, target))
            if target is not None and name in self.kept:
                self.links[name] = target
            elif target is not None and name in self._named.exactly:
                raise link_refused(name, target)

    def _put(self, name: PurePosixPath, reason: Reason | None) -> None:
        (self.kept if reason is None else self.left[reason]).add(name)

    def _reason(self, name: PurePosixPath) -> Reason | None:
        if name in self._named.exactly:
            return None
        refused = by_name(name)
        if refused is Reason.SECRET:
            return refused
        if name in self._named.broadly:
            found = by_content(self._content(name))
            return found if found is Reason.SECRET else None
        if refused is None and any(self._is_marked(folder) for folder in name.parents):
            return Reason.DATA
        return refused or by_content(self._content(name))

    def _reason_of_link(self, name: PurePosixPath, target: PurePosixPath | None) -> Reason | None:
        if target is None:
            return Reason.LINK
        if target in self.kept:
            return None if name in self._named.files else by_name(name)
        return next((why for why in Reason if target in self.left[why]), Reason.LINK)

    def _is_marked(self, folder: PurePosixPath) -> bool:
        """Whether ``folder`` is a packed dataset or a results folder, which may hold faces."""
        if folder not in self._marked:
            place = self._root / folder
            self._marked[folder] = any(
                all((place / name).exists() for name in marks) for marks in _DATA_FILES
            )
        return self._marked[folder]

    def _content(self, name: PurePosixPath) -> bytes:
        try:
            with opened_below(self._root, name) as file:
                return file.read(_JUDGED)
        except OSError:
            return b""  # packing will report it


def _is_searched(folder: str) -> bool:
    return folder not in _NO_FOLDERS and not folder.startswith(".")


def _is_listed(file: PurePosixPath) -> bool:
    return not file.name.startswith(".") and file.suffix != ".pyc"


def _is_own(root: Path) -> bool:
    """Whether fer_tune itself is developed here."""
    project = root / "pyproject.toml"
    try:
        named = 'name = "fer-tune"' in project.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return False
    return named and (root / "fer_tune" / "__init__.py").is_file()


def _commit(root: Path) -> str:
    head = _git(root, "rev-parse", "HEAD")
    if not head:
        return ""
    changed = _git(root, "status", "--porcelain")
    return head.strip() + ("-dirty" if changed else "")


def _git(folder: Path, *words: str) -> str | None:
    """The output of git; None without git, or if the command fails."""
    try:
        done = subprocess.run(
            ["git", "-C", str(folder), *words], capture_output=True, check=False, timeout=60
        )
    except (OSError, subprocess.TimeoutExpired):
        return None
    return done.stdout.decode(errors="surrogateescape") if done.returncode == 0 else None
