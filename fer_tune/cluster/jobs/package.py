"""The package that a job runs in: the working tree and the search space in one zip."""

from __future__ import annotations

import hashlib
import os
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from fer_tune.cluster.jobs.source_tree import Tree
from fer_tune.errors import EnvironmentFault, because
from fer_tune.storage.paths import scratch_folder

#: Limit of Ray's dashboard for a package.
LIMIT_MIB = 100
#: Folder of the package that holds the search space, wherever it was locally.
SPACE_FOLDER = "submitted_space"
_MIB = 1024**2
_Opening = Callable[[], AbstractContextManager[BinaryIO]]
#: Oldest time in a zip: with the files' own times the same tree would give another package.
_LONG_AGO = (1980, 1, 1, 0, 0, 0)


@dataclass(frozen=True, kw_only=True)
class Package:
    """A zip on disk.

    Attributes:
        file: the zip.
        name: by its content, as Ray names packages.
        files: how many it holds.
        size: of the zip, in bytes.
        space: path of the search space in it; None without one.
    """

    file: Path
    name: str
    files: int
    size: int
    space: str | None

    @property
    def uri(self) -> str:
        """What a job names it by."""
        return f"gcs://{self.name}"


@contextmanager
def packed(tree: Tree, space: Path | None) -> Iterator[Package]:
    """A package, deleted at the end. The same tree and space give the same name.

    Args:
        space: YAML file of the search space, in the tree or not.

    Raises:
        EnvironmentFault: larger than :data:`LIMIT_MIB`, a file cannot be read, or the tree holds
            a package that would hide one of fer_tune's.
    """
    if hidden := tree.hidden():
        raise EnvironmentFault(
            f"the working tree contains {' and '.join(hidden)}, which would hide "
            "fer_tune's own on the cluster",
            where=str(tree.root),
            remedy="Rename it, or submit from another folder",
        )
    sources: dict[str, _Opening] = {str(file): partial(tree.opened, file) for file in tree.files}
    within = None
    if space is not None:
        within = f"{SPACE_FOLDER}/{space.name}"
        sources[within] = partial(_opened, space)
    _check_size(sources, tree.root)
    with scratch_folder() as folder:
        file = folder / "package.zip"
        _write(file, sources, tree.root)
        digest = hashlib.sha256(file.read_bytes()).hexdigest()
        yield Package(
            file=file,
            name=f"_ray_pkg_{digest[:32]}.zip",
            files=len(sources),
            size=file.stat().st_size,
            space=within,
        )


def _check_size(sources: Mapping[str, _Opening], root: Path) -> None:
    sizes = {}
    for name, opening in sources.items():
        with _readable(root / name), opening() as content:
            sizes[name] = os.fstat(content.fileno()).st_size
    total = sum(sizes.values())
    if total <= LIMIT_MIB * _MIB:
        return
    largest = sorted(sizes, key=lambda name: -sizes[name])[:5]
    listed = ", ".join(f"{name} ({sizes[name] / _MIB:.1f} MiB)" for name in largest)
    raise EnvironmentFault(
        f"the working tree holds {total / _MIB:.0f} MiB in {len(sizes)} files, but a job can have "
        f"at most {LIMIT_MIB} MiB; the largest: {listed}",
        where=str(root),
        remedy="Add what the job does not need to .gitignore (in a git repository), or submit "
        "from another folder",
    )


def _write(file: Path, sources: Mapping[str, _Opening], root: Path) -> None:
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in sorted(sources, key=PurePosixPath):
            entry = zipfile.ZipInfo(name, date_time=_LONG_AGO)
            entry.compress_type = zipfile.ZIP_DEFLATED
            with _readable(root / name), sources[name]() as opened:
                name.encode()  # a zip's names are UTF-8; `_readable` reports one that is not
                executable = os.fstat(opened.fileno()).st_mode & 0o100
                content = opened.read()
            entry.external_attr = (0o755 if executable else 0o644) << 16
            archive.writestr(entry, content)


def _opened(path: Path) -> BinaryIO:
    return path.open("rb")


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, UnicodeEncodeError) as error:
        reason = because(error) if isinstance(error, OSError) else "its name is not UTF-8"
        raise EnvironmentFault(
            f"a file of the working tree cannot be packed: {reason}",
            where=os.fsencode(path).decode(errors="backslashreplace"),
            remedy="Fix it, or exclude it with .gitignore",
        ) from None
