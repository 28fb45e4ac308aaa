"""The package that a job runs in: the working tree and the search space in one zip."""

from __future__ import annotations

import hashlib
import os
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from tempfile import TemporaryDirectory

from fer_tune.cluster.tree import Tree
from fer_tune.errors import EnvironmentFault

#: What Ray's dashboard takes in at most.
LIMIT_MIB = 100
#: Folder of the package that holds the search space, wherever it was locally.
SPACE_FOLDER = "submitted_space"
_MIB = 1024**2
#: The oldest that a zip can hold: files' own times would make another package of the same tree.
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
    """A package, there while it is open. The same tree and space give the same name.

    Args:
        space: YAML file of the search space, in the tree or not.

    Raises:
        EnvironmentFault: larger than :data:`LIMIT_MIB`, a file cannot be read, or the tree holds
            a package that would hide one of fer_tune's.
    """
    if hidden := tree.hidden():
        raise EnvironmentFault(
            f"the working tree holds {' and '.join(hidden)}, which would stand in place of "
            "fer_tune's own on the cluster",
            where=str(tree.root),
            remedy="Rename it, or submit from another folder",
        )
    sources = {str(file): tree.root / file for file in tree.files}
    within = None
    if space is not None:
        within = f"{SPACE_FOLDER}/{space.name}"
        sources[within] = space
    _check_size(sources, tree.root)
    with TemporaryDirectory(prefix="fer_tune-package-") as folder:
        file = Path(folder) / "package.zip"
        _write(file, sources)
        digest = hashlib.sha256(file.read_bytes()).hexdigest()
        yield Package(
            file=file,
            name=f"_ray_pkg_{digest[:32]}.zip",
            files=len(sources),
            size=file.stat().st_size,
            space=within,
        )


def _check_size(sources: dict[str, Path], root: Path) -> None:
    sizes = {}
    for name, path in sources.items():
        with _readable(path):
            sizes[name] = path.stat().st_size
    total = sum(sizes.values())
    if total <= LIMIT_MIB * _MIB:
        return
    largest = sorted(sizes, key=lambda name: -sizes[name])[:5]
    told = ", ".join(f"{name} ({sizes[name] / _MIB:.1f} MiB)" for name in largest)
    raise EnvironmentFault(
        f"the working tree holds {total / _MIB:.0f} MiB in {len(sizes)} files, and a job carries "
        f"at most {LIMIT_MIB}; the largest: {told}",
        where=str(root),
        remedy="Add what the job does not need to .gitignore (in a git repository), or submit "
        "from another folder",
    )


def _write(file: Path, sources: dict[str, Path]) -> None:
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name in sorted(sources, key=PurePosixPath):
            path = sources[name]
            entry = zipfile.ZipInfo(name, date_time=_LONG_AGO)
            entry.compress_type = zipfile.ZIP_DEFLATED
            with _readable(path):
                executable = path.stat().st_mode & 0o100
                entry.external_attr = (0o755 if executable else 0o644) << 16
                archive.writestr(entry, path.read_bytes())


@contextmanager
def _readable(path: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, UnicodeEncodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "its name is not UTF-8"
        raise EnvironmentFault(
            f"a file of the working tree cannot be packed: {reason}",
            where=os.fsencode(path).decode(errors="backslashreplace"),
            remedy="Mend it, or let .gitignore leave it out",
        ) from None
