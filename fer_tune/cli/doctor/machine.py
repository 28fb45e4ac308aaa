"""Measures this machine for `fer-tune doctor`; `fer_tune.cli.doctor.checks` judges the figures.

Nothing is changed, and no files are left behind.
"""

from __future__ import annotations

import os
import platform
import re
import resource
import shutil
import socket
import sys
import warnings
from collections.abc import Iterator
from contextlib import suppress
from importlib import metadata
from pathlib import Path
from urllib.parse import urlsplit

from fer_tune.cli.doctor import checks
from fer_tune.cli.doctor.checks import Check, State
from fer_tune.errors import EnvironmentFault, WeightsError
from fer_tune.escaping import shell_word
from fer_tune.process.cpus import cpu_limit

#: Libraries that no search needs, with what they are for.
_OPTIONAL = {
    "kagglehub": "`fer-tune data import kaggle:OWNER/NAME`",
    "tensorboard": "viewing RESULTS/tensorboard",
    "optuna-dashboard": "viewing RESULTS/optuna.journal",
}
#: Limit, use, and which of the counted pages the system would give back, in cgroups 2 and 1.
_CGROUPS = (
    ("memory.max", "memory.current", "memory.stat", "inactive_file"),
    (
        "memory/memory.limit_in_bytes",
        "memory/memory.usage_in_bytes",
        "memory/memory.stat",
        "total_inactive_file",
    ),
)
_PROBE_S = 2.0


def libraries() -> Iterator[Check]:
    """Python, what the installed distribution requires, and what it can use besides."""
    from packaging.requirements import Requirement

    pip = pip_words()
    version = _version("fer-tune")
    yield checks.check_project(version, pip=pip)
    python = metadata.metadata("fer-tune")["Requires-Python"] if version else ""
    yield checks.check_python(platform.python_version(), python)
    known = [Requirement(text) for text in metadata.requires("fer-tune") or ()] if version else []
    for wanted in known:
        if wanted.marker is None or wanted.marker.evaluate({"extra": ""}):
            wanted.marker = None
            yield checks.check_library(str(wanted), _version(wanted.name), pip=pip)
    limits = {wanted.name: str(wanted.specifier) for wanted in known}
    for name, use in _OPTIONAL.items():
        requirement = f"{name}{limits.get(name, '')}"
        yield checks.check_library(requirement, _version(name), pip=pip, use=use)


def torch_pair() -> Iterator[Check]:
    """torch and torchvision: their declared versions, and whether they work together."""
    from packaging.requirements import Requirement

    said = (Requirement(text) for text in metadata.requires("torchvision") or ())
    wanted = next((str(one.specifier) for one in said if one.name == "torch"), "")
    yield checks.check_torch_pair(
        metadata.version("torch"),
        metadata.version("torchvision"),
        wanted,
        _operators_problem(),
        pip=pip_words(),
    )


def accelerators() -> Iterator[Check]:
    """GPUs, and the arithmetic that follows."""
    import torch

    from fer_tune.training.device.compute import Compute

    with warnings.catch_warnings(record=True) as complaints:  # of a driver that is too old
        warnings.simplefilter("always")
        count = torch.cuda.device_count() if torch.cuda.is_available() else 0
        gpus = [torch.cuda.get_device_properties(i) for i in range(count)]
    yield checks.check_accelerators(
        [f"{gpu.name} ({gpu.total_memory / checks.GIB:.0f} GiB)" for gpu in gpus],
        cuda=torch.version.cuda,
        card=_nvidia_card(),
        hidden=os.environ.get("CUDA_VISIBLE_DEVICES"),
        problem=_first_line(str(complaints[0].message)) if complaints else "",
    )
    dtype = str(Compute.choose().dtype).removeprefix("torch.")
    yield Check(name="precision", state=State.OK, found=dtype)


def cpus() -> Iterator[Check]:
    limit = cpu_limit()
    yield checks.check_cpus(limit.count, machine=os.cpu_count() or 1, reason=limit.reason)


def memory() -> Iterator[Check]:
    yield checks.check_memory(*available_memory(Path("/proc/meminfo"), Path("/sys/fs/cgroup")))


def available_memory(meminfo: Path, cgroup: Path) -> tuple[int, int]:
    """Total and available bytes, of the machine or of the container that this process is in."""
    kib = dict(re.findall(r"^(\w+):\s+(\d+) kB", meminfo.read_text(), re.MULTILINE))
    total, available = int(kib["MemTotal"]) * 1024, int(kib["MemAvailable"]) * 1024
    for limit, used, stat, reclaimable in _CGROUPS:
        if not (cgroup / limit).is_file():
            continue
        text = (cgroup / limit).read_text().strip()
        # "max", or more than there is, means no limit.
        if text.isascii() and text.isdigit() and int(text) < total:
            total = int(text)
            back = re.search(rf"^{reclaimable} (\d+)", (cgroup / stat).read_text(), re.MULTILINE)
            taken = int((cgroup / used).read_text()) - (int(back[1]) if back else 0)
            available = min(available, max(0, total - taken))
        break
    return total, available


def descriptors() -> Iterator[Check]:
    limits = resource.getrlimit(resource.RLIMIT_NOFILE)
    soft, hard = (None if one == resource.RLIM_INFINITY else one for one in limits)
    yield checks.check_descriptors(soft, hard)


def shared_memory() -> Iterator[Check]:
    folder = Path("/dev/shm")
    yield checks.check_shared_memory(shutil.disk_usage(folder).free if folder.is_dir() else None)


def weights(name: str) -> Iterator[Check]:
    """The ImageNet weights of one backbone: located, and read completely."""
    from fer_tune.models.registry import backbone
    from fer_tune.models.weights import locate, read_state, weights_folder

    entry, file, problem = backbone(name), None, ""
    with suppress(WeightsError):
        file = locate(entry, "imagenet-v1")
    if file is not None:
        try:
            read_state(file, entry)
        except WeightsError as error:
            problem = error.what
    yield checks.check_weights(name, folder=weights_folder(), file=file, problem=problem)


def ray_address() -> Iterator[Check]:
    address = os.environ.get("RAY_ADDRESS")
    yield checks.check_ray_address(address, answers=listens(address) if address else None)


def listens(address: str) -> bool | None:
    """Whether a connection to ``HOST:PORT`` is taken; None for an address without a port."""
    try:
        where = urlsplit(address if "://" in address else f"//{address}")
        if where.hostname is None or where.port is None:
            return None
        with socket.create_connection((where.hostname, where.port), timeout=_PROBE_S):
            return True
    except ValueError:
        return None
    except OSError:
        return False


def starting_ray() -> Iterator[Check]:
    from fer_tune.tuning.raytune.local_ray import ray_folder
    from fer_tune.tuning.raytune.probe import try_ray

    seconds, problem = 0.0, ""
    try:
        seconds = try_ray()
    except EnvironmentFault as error:
        problem = error.what
    yield checks.check_ray(seconds, problem, logs=ray_folder() / "session_latest" / "logs")


def _operators_problem() -> str:
    """What goes wrong in torchvision's compiled operators; empty when they work.

    A torchvision that was built for another torch fails in one of several ways: on import, on
    loading its library, or only when an operator is called.
    """
    try:
        import torch
        from torchvision.ops import nms

        nms(torch.tensor([[0.0, 0.0, 1.0, 1.0]]), torch.tensor([1.0]), 0.5)
    except (ImportError, OSError, RuntimeError, AttributeError) as error:
        return _first_line(str(error))
    return ""


def _nvidia_card() -> bool:
    for device in Path("/sys/bus/pci/devices").glob("*"):
        with suppress(OSError):
            vendor, kind = ((device / file).read_text() for file in ("vendor", "class"))
            if vendor.startswith("0x10de") and kind.startswith("0x03"):  # NVIDIA, display
                return True
    return False


def _version(library: str) -> str | None:
    try:
        return metadata.version(library)
    except metadata.PackageNotFoundError:
        return None


def pip_words() -> str:
    """The command that runs pip for the Python in use."""
    return f"{shell_word(sys.executable)} -m pip"


def _first_line(text: str) -> str:
    return text.strip().splitlines()[0] if text.strip() else "no reason given"
