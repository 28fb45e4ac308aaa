"""onnxruntime-web, which runs the networks in the browser: from a folder, the cache, or npm."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import tarfile
from collections.abc import Mapping
from pathlib import Path

from fer_tune.errors import EnvironmentFault, UserError, because
from fer_tune.serving.web.cache import cache_folder
from fer_tune.storage import write_atomically
from fer_tune.storage.paths import scratch_folder

PACKAGE, VERSION = "onnxruntime-web", "1.30.0"
#: The files of the package's folder `dist` that a page needs, with the SHA-256 of this version.
FILES = {
    "ort.wasm.min.mjs": "219e6a1fc8a9938268d18efca3c91d310bd2f4a59bbd13744df5b2b7fc6cee3b",
    "ort-wasm-simd-threaded.mjs": (
        "e13f7f94fc51b4ca72b12faeb1ee95f4ace6dfbc8939bc718aabdc0a27c4299b"
    ),
    "ort-wasm-simd-threaded.wasm": (
        "3398c10d07d229bd91b364548e130e0e51a8e5704b88c7c083ebbeb78842dee2"
    ),
}
#: Seconds for the download of 33 MB.
_PATIENCE_S = 600
#: Bytes of one of its files, at most.
_MOST_BYTES = 64 * 2**20

#: How npm begins lines of its errors, in new and old versions; and those that are no sentences.
_ERRORS = ("npm error ", "npm ERR! ")
_FIELDS = ("code ", "errno ", "syscall ", "path ", "dest ")

_ELSEWHERE = (
    f"where npm works, run `npm pack {PACKAGE}@{VERSION}`, unpack the file, and use --runtime "
    "package/dist here"
)


def runtime_files(folder: Path | None) -> dict[str, Path]:
    """The files of onnxruntime-web by name.

    Args:
        folder: that holds them, or the package (``--runtime``); None for the cache, filled by npm.

    Raises:
        UserError: they are not in ``folder``.
        EnvironmentFault: npm is not installed or cannot download the package.
    """
    if folder is not None:
        return _in_folder(folder)
    cache = cache_folder(f"{PACKAGE}-{VERSION}")
    found = {name: cache / name for name in FILES}
    if not all(_is_right(path, FILES[name]) for name, path in found.items()):
        _download(cache)
    return found


def _in_folder(folder: Path) -> dict[str, Path]:
    for place in (folder, folder / "dist", folder / "node_modules" / PACKAGE / "dist"):
        found = {name: place / name for name in FILES}
        if all(path.is_file() for path in found.values()):
            return found
    raise UserError(
        f"no {PACKAGE} there: it should hold {', '.join(FILES)}",
        where="--runtime",
        value=str(folder),
        remedy=f"Unpack what `npm pack {PACKAGE}@{VERSION}` writes, and name its folder",
    )


def _is_right(path: Path, sha256: str) -> bool:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == sha256
    except OSError:
        return False


def _download(cache: Path) -> None:
    """Fills the cache by npm."""
    npm = shutil.which("npm")
    if npm is None:
        raise EnvironmentFault(
            f"the page needs {PACKAGE}, and npm, which would download it, is not installed",
            remedy=f"Install npm; or, {_ELSEWHERE}",
        )
    with scratch_folder() as folder:
        _pack(npm, folder)
        for name, content in _unpacked(folder).items():
            write_atomically(cache / name, content)


def _pack(npm: str, folder: Path) -> None:
    words = [npm, "pack", f"{PACKAGE}@{VERSION}", "--ignore-scripts", "--loglevel=error"]
    try:
        done = subprocess.run(
            words,
            cwd=folder,
            capture_output=True,
            text=True,
            timeout=_PATIENCE_S,
            check=False,
            stdin=subprocess.DEVNULL,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise _not_downloaded(because(error)) from None
    if done.returncode:
        raise _not_downloaded(_reason(done.stderr) or f"npm ended with {done.returncode}")


def _reason(stderr: str) -> str:
    """The first line of npm's errors that is a sentence; else the first one."""
    said = [line.split(maxsplit=2) for line in stderr.splitlines() if line.startswith(_ERRORS)]
    lines = [words[2] for words in said if len(words) > 2]
    return next((line for line in lines if not line.startswith(_FIELDS)), "".join(lines[:1]))


def is_tested(files: Mapping[str, Path]) -> bool:
    """Whether these are the files of the version that pages are tested with."""
    return all(_is_right(files[name], sha256) for name, sha256 in FILES.items())


def _unpacked(folder: Path) -> dict[str, bytes]:
    """The content of the files that a page needs, checked."""
    packed = next(iter(folder.glob("*.tgz")), None)
    if packed is None:
        raise _not_downloaded("npm wrote no package")
    found = {}
    try:
        with tarfile.open(packed, "r:gz") as archive:
            for name in FILES:
                file = archive.extractfile(f"package/dist/{name}")
                found[name] = b"" if file is None else file.read(_MOST_BYTES)
    except (KeyError, OSError, EOFError, tarfile.TarError) as error:
        raise _not_downloaded(f"not the package that was expected: {error}") from None
    for name, content in found.items():
        if hashlib.sha256(content).hexdigest() != FILES[name]:
            raise _not_downloaded(f"{name} is not that of version {VERSION}")
    return found


def _not_downloaded(reason: str) -> EnvironmentFault:
    return EnvironmentFault(
        f"npm could not download {PACKAGE} {VERSION}: {reason}",
        remedy=f"Check the connection; or, {_ELSEWHERE}",
    )
