"""The packed dataset on the head: found by its fingerprint, or copied there once."""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Callable, Iterator
from pathlib import Path

from fer_tune.cluster.names import checked_path
from fer_tune.cluster.ssh.dashboard_access import Access
from fer_tune.cluster.ssh.openssh import rsync
from fer_tune.data.dataset import DESCRIPTION, INDEX, PIXELS, PackedDataset
from fer_tune.errors import DataError
from fer_tune.storage import is_url

#: Below the head's home: a folder per fingerprint.
FOLDER = "fer_tune/data"
#: A line per place: its description where both files have the right sizes, else nothing.
_LOOK = f"""\
look() {{{{
  if test "$(stat -L -c %s "$1/{PIXELS}" "$1/{INDEX}" 2>/dev/null | tr '\\n' ' ')" = "{{sizes}} "
  then tr -d '\\n' < "$1/{DESCRIPTION}"
  fi
  echo
}}}}"""


def on_cluster(data: str, access: Access, note: Callable[[str], None], *, show: bool) -> str:
    """The dataset's path as the head sees it.

    A local packed dataset is looked for on the head: where ``file_mounts`` puts it, at the same
    path, and among earlier copies. If none has its fingerprint and size, it is copied. Anything
    else is treated as a path on the cluster. A URL is kept: the search fetches from it.

    Args:
        data: what the user named.
        note: receives a message for the user.
        show: rsync's progress goes to the terminal.

    Raises:
        DataError: the dataset is damaged, or cannot be meant for the cluster.
        EnvironmentFault: the head or rsync fails.
    """
    if is_url(data):
        note(f"the head will fetch the dataset with its own credentials: {data}")
        return data
    here = Path(data)
    # Not Path.is_file: a path on the head may be in a local folder that this user cannot read.
    if not os.path.isfile(here / DESCRIPTION):
        return _theirs(data)
    if access.ssh is None:
        note(
            f"--data {data} is treated as a path on the cluster; only --cluster FILE copies a "
            "local dataset there"
        )
        return _theirs(data)
    dataset = PackedDataset.open(here)
    copied = checked_path(f"{access.home}/{FOLDER}/{dataset.fingerprint[:16]}")
    places = [*_mounted(here, access), str(here.resolve()), copied]
    found = _first_equal(dataset, list(dict.fromkeys(places)), access)
    if found is not None:
        note(f"the dataset is already on the head: {found}")
        return found
    note(f"copying the dataset to the head: {copied}")
    _copy(dataset.root, copied, access, show=show)
    return copied


def _theirs(data: str) -> str:
    if data.startswith(("/", "~/")):
        return data
    raise DataError(
        "is neither a local packed dataset nor a path on the cluster",
        where="--data",
        value=data,
        remedy="Use a local packed dataset, one on the cluster (starting with / or ~/), or a URL",
    )


def _mounted(here: Path, access: Access) -> Iterator[str]:
    """Where ``file_mounts`` puts the folder ``here`` on every machine."""
    assert access.ssh is not None
    for there, source in access.ssh.head.mounts.items():
        if Path(source).expanduser().resolve() == here.resolve():
            yield access.on_head(there).rstrip("/")


def _first_equal(dataset: PackedDataset, places: list[str], access: Access) -> str | None:
    """The first of ``places`` on the head that holds this dataset, complete."""
    assert access.ssh is not None
    sizes = " ".join(str((dataset.root / name).stat().st_size) for name in (PIXELS, INDEX))
    looks = [f"look {shlex.quote(place)}" for place in places]
    answers = access.ssh.run("\n".join([_LOOK.format(sizes=sizes), *looks])).split("\n")
    for place, answer in zip(places, answers, strict=False):
        try:
            if json.loads(answer or "{}").get("fingerprint") == dataset.fingerprint:
                return place
        except (ValueError, AttributeError, RecursionError):
            continue  # something else lies there
    return None


def _copy(root: Path, there: str, access: Access, *, show: bool) -> None:
    """Copies into a temporary folder first, so that a dataset under its own name is complete."""
    assert access.ssh is not None
    ssh, partial = access.ssh, f"{there}.partial"
    ssh.run(f"mkdir -p {shlex.quote(partial)}")
    progress = ["--info=progress2"] if show else []
    # Whatever else lies in the folder stays here.
    files = [*(f"--include=/{name}" for name in (DESCRIPTION, INDEX, PIXELS)), "--exclude=*"]
    options = ["--archive", "--compress", "--partial", "--protect-args", *files, *progress]
    rsync(ssh, [*options, f"{root.absolute()}/", ssh.host(f"{partial}/")], show=show)
    whole, copied = shlex.quote(there), shlex.quote(partial)
    # Another process that copies the same dataset may have moved it already.
    ssh.run(f"if test -d {copied}; then rm -rf {whole} && mv {copied} {whole}; fi; test -d {whole}")
