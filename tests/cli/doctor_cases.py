"""Checks of `fer-tune doctor`, each in its good and its bad states."""

from __future__ import annotations

from pathlib import Path

from fer_tune.cli.doctor import checks, folders
from fer_tune.cli.doctor.checks import GIB, Check, State

PIP = "/env/bin/python -m pip"
HERE = Path("/somewhere")

#: What a check made of its figures, the state that these deserve, words of what it found, and of
#: its remedy; no words for none.
CASES: dict[str, tuple[Check, State, str, str]] = {
    "project": (checks.check_project("0.1.0", pip=PIP), State.OK, "0.1.0", ""),
    "project not installed": (
        checks.check_project(None, pip=PIP),
        State.WARNING,
        "not installed",
        f"{PIP} install -c constraints.txt -e .",
    ),
    "python": (checks.check_python("3.12.1", ">=3.11"), State.OK, "3.12.1", ""),
    "python too old": (
        checks.check_python("3.10.9", ">=3.11"),
        State.MISSING,
        "3.10.9, but >=3.11 is required",
        "such a Python",
    ),
    "library": (
        checks.check_library("torch<3,>=2.9", "2.14.1+cu130", pip=PIP),
        State.OK,
        "2.14.1+cu130 (>=2.9,<3)",
        "",
    ),
    "library before its release": (
        checks.check_library("torch<3,>=2.9", "2.15.0.dev20260101", pip=PIP),
        State.OK,
        "2.15.0",
        "",
    ),
    "library too old": (
        checks.check_library("torch<3,>=2.9", "2.8.1", pip=PIP),
        State.MISSING,
        "2.8.1, but >=2.9,<3 is required",
        f"`{PIP} install 'torch>=2.9,<3'`",
    ),
    "library too new": (
        checks.check_library("torch<3,>=2.9", "3.0", pip=PIP),
        State.MISSING,
        "3.0, ",
        "'torch>=2.9,<3'",
    ),
    "library absent, with extras": (
        checks.check_library("ray[tune,default]<3,>=2.50", None, pip=PIP),
        State.MISSING,
        "not installed",
        "'ray[default,tune]>=2.50,<3'",
    ),
    "optional library": (
        checks.check_library("kagglehub>=0.3", "0.4", pip=PIP, use="Kaggle"),
        State.OK,
        "0.4",
        "",
    ),
    "optional library absent": (
        checks.check_library("kagglehub>=0.3", None, pip=PIP, use="Kaggle"),
        State.OK,
        "not installed; needed only for Kaggle",
        f"`{PIP} install 'kagglehub>=0.3'`",
    ),
    "optional library too old": (
        checks.check_library("kagglehub>=0.3", "0.2", pip=PIP, use="Kaggle"),
        State.WARNING,
        "0.2, but >=0.3 is required",
        "'kagglehub>=0.3'",
    ),
    "torch pair": (
        checks.check_torch_pair("2.9.1+cpu", "0.24.1", "==2.9.1", "", pip=PIP),
        State.OK,
        "compatible",
        "",
    ),
    "torch pair apart": (
        checks.check_torch_pair("2.10.0", "0.24.1", "==2.9.1", "", pip=PIP),
        State.WARNING,
        "built for torch ==2.9.1",
        "--force-reinstall torch torchvision",
    ),
    "torch pair broken": (
        checks.check_torch_pair("2.9.1", "0.24.1", "==2.9.1", "no nms", pip=PIP),
        State.MISSING,
        "are incompatible: no nms",
        "--force-reinstall torch torchvision",
    ),
    "GPUs": (
        checks.check_accelerators(["A (80 GiB)", "B (80 GiB)"], cuda="13.0", card=True),
        State.OK,
        "A (80 GiB), B (80 GiB)",
        "",
    ),
    "no GPU, build without CUDA": (
        checks.check_accelerators([], cuda=None, card=False),
        State.OK,
        "trials run on the CPU",
        "",
    ),
    "no GPU, build for CUDA": (
        checks.check_accelerators([], cuda="13.0", card=False),
        State.OK,
        "trials run on the CPU",
        "driver for CUDA 13.0",
    ),
    "card, build without CUDA": (
        checks.check_accelerators([], cuda=None, card=True),
        State.WARNING,
        "built without CUDA",
        "with CUDA",
    ),
    "card without driver": (
        checks.check_accelerators([], cuda="13.0", card=True),
        State.WARNING,
        "an NVIDIA card, but no GPU that torch can use",
        "driver for CUDA 13.0",
    ),
    "driver too old": (
        checks.check_accelerators([], cuda="13.0", card=False, problem="driver too old"),
        State.WARNING,
        "(driver too old)",
        "`nvidia-smi`",
    ),
    "card hidden": (
        checks.check_accelerators([], cuda="13.0", card=True, hidden=""),
        State.WARNING,
        "CUDA_VISIBLE_DEVICES=''",
        "unset CUDA_VISIBLE_DEVICES",
    ),
    "CPUs": (checks.check_cpus(2), State.OK, "2", ""),
    "CPUs of a container": (
        checks.check_cpus(2, machine=64, reason="cgroup quota of 2.5"),
        State.OK,
        "2 of the machine's 64 (cgroup quota of 2.5)",
        "",
    ),
    "one CPU": (checks.check_cpus(1), State.WARNING, "1; ", "--set resources.cpu=1"),
    "memory": (checks.check_memory(8 * GIB, 4 * GIB), State.OK, "8.0 GiB, 4.0 GiB", ""),
    "memory in use": (
        checks.check_memory(8 * GIB, 4 * GIB - 1),
        State.WARNING,
        "one trial can take 4.0 GiB",
        "Close programs",
    ),
    "little memory": (
        checks.check_memory(3 * GIB, 2 * GIB),
        State.WARNING,
        "3.0 GiB, 2.0 GiB",
        "with more",
    ),
    "open files": (checks.check_descriptors(4096, 4096), State.OK, "4096", ""),
    "open files without limit": (checks.check_descriptors(None, None), State.OK, "any number", ""),
    "few open files": (
        checks.check_descriptors(1024, 500_000),
        State.WARNING,
        "1024",
        "`ulimit -n 65536`",
    ),
    "few open files, no hard limit": (
        checks.check_descriptors(1024, None),
        State.WARNING,
        "1024",
        "`ulimit -n 65536`",
    ),
    "few open files, low hard limit": (
        checks.check_descriptors(1024, 8192),
        State.WARNING,
        "1024",
        "`ulimit -n 8192`",
    ),
    "few open files for good": (
        checks.check_descriptors(1024, 2048),
        State.WARNING,
        "1024",
        "administrator",
    ),
    "shared memory": (checks.check_shared_memory(256 * 2**20), State.OK, "/dev/shm", ""),
    "little shared memory": (
        checks.check_shared_memory(64 * 2**20),
        State.WARNING,
        "64 MiB free",
        "--shm-size",
    ),
    "no shared memory": (
        checks.check_shared_memory(None),
        State.WARNING,
        "no /dev/shm",
        "--shm-size",
    ),
    "disk": (
        folders.check_disk("disk", 5 * GIB, folder=HERE, move="move"),
        State.OK,
        "5.0 GiB free at /somewhere",
        "",
    ),
    "disk nearly full": (
        folders.check_disk("disk", 5 * GIB - 1, folder=HERE, move="use --bank"),
        State.WARNING,
        "less than 5 GiB",
        "Free up space there, or use --bank",
    ),
    "disk hardly enough": (
        folders.check_disk("disk", GIB, folder=HERE, move="use --bank"),
        State.WARNING,
        "less than 5 GiB",
        "use --bank",
    ),
    "disk full": (
        folders.check_disk("disk", GIB - 1, folder=HERE, move="use --bank"),
        State.MISSING,
        "less than 1 GiB",
        "use --bank",
    ),
    "bank": (folders.check_bank(HERE, ""), State.OK, "/somewhere", ""),
    "bank closed": (
        folders.check_bank(HERE, "Permission denied"),
        State.MISSING,
        "/somewhere cannot be used: Permission denied",
        "FER_TUNE_BANK",
    ),
    "weights": (
        checks.check_weights("resnet152", folder=HERE, file=HERE / "w.pth"),
        State.OK,
        "/somewhere/w.pth",
        "",
    ),
    "weights absent": (
        checks.check_weights("resnet152", folder=HERE, file=None),
        State.WARNING,
        "not in /somewhere",
        "`fer-tune weights fetch resnet152`, or search with `--set weights=none`",
    ),
    "weights unreadable": (
        checks.check_weights("resnet152", folder=HERE, file=HERE / "w.pth", problem="cut short"),
        State.WARNING,
        "/somewhere/w.pth: cut short",
        "Delete that file, then run `fer-tune weights fetch resnet152`",
    ),
    "no RAY_ADDRESS": (
        checks.check_ray_address(None, answers=None),
        State.OK,
        "starts its own",
        "",
    ),
    "Ray answers": (
        checks.check_ray_address("head:6379", answers=True),
        State.OK,
        "head:6379, and it is reachable",
        "--address head:6379",
    ),
    "Ray of an address that tells no port": (
        checks.check_ray_address("auto", answers=None),
        State.OK,
        "RAY_ADDRESS is auto",
        "--address auto",
    ),
    "Ray is silent": (
        checks.check_ray_address("head:6379", answers=False),
        State.WARNING,
        "nothing listens",
        "unset RAY_ADDRESS",
    ),
    "Ray starts": (checks.check_ray(6.7, "", logs=HERE), State.OK, "7 s", ""),
    "Ray does not start": (
        checks.check_ray(0, "timed out", logs=HERE),
        State.MISSING,
        "timed out",
        "/somewhere",
    ),
}
