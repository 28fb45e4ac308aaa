"""Checking a cluster file: all errors at once, or a summary of the cluster."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from importlib.util import find_spec
from pathlib import Path

from fer_tune.cluster.checks import manifest_rules
from fer_tune.cluster.checks.access_rules import check_access, check_commands
from fer_tune.cluster.checks.commands import SETUP, STARTS
from fer_tune.cluster.checks.launchers import skypilot, slurm
from fer_tune.cluster.checks.provider_keys import PROVIDER_KEYS, check_provider
from fer_tune.cluster.checks.ray_schema import check_preparation, check_schema
from fer_tune.cluster.checks.scale_rules import check_scale
from fer_tune.cluster.checks.setup_rules import check_setup, images
from fer_tune.cluster.checks.storage_rules import check_storage
from fer_tune.cluster.checks.summary import Summary, summary, worker_slots
from fer_tune.cluster.shipped import find, shipped
from fer_tune.errors import ClusterFileError, Fault
from fer_tune.space import SearchSpace
from fer_tune.wording import Broken, did_you_mean
from fer_tune.yaml_reader.document import Document, read

#: What knows the keys of a cloud's machines, and the extra that brings it.
_MODELS = {"aws": ("botocore", "aws"), "gcp": ("googleapiclient", "gcp")}


@dataclass(frozen=True, kw_only=True)
class Checked:
    """A cluster file without errors.

    Attributes:
        notes: what could not be checked, and what is still to be filled in.
    """

    summary: Summary
    notes: tuple[str, ...]


def check(
    name_or_path: str,
    *,
    space: SearchSpace | None = None,
    gpu_memory: float | None = None,
    crds: Path | None = None,
) -> Checked:
    """Checks a shipped cluster file's name, or a file.

    Args:
        space: whose trials the machines must fit.
        gpu_memory: GiB of one GPU, for machines that the file says nothing about.
        crds: folder of KubeRay's definitions, for manifests.

    Raises:
        ClusterFileError: with all errors.
    """
    path = find(name_or_path)
    where = str(path)
    try:
        documents = [slurm.read_script(path)] if slurm.is_script(path) else read(path)
        ours = [document for document in documents if _is_ours(document)]
        if not documents or (len(documents) == 1 and not ours):
            raise Broken(
                "is neither a file of `ray up` nor a RayCluster, RayJob or RayService, a task of "
                "SkyPilot or a batch script of Slurm"
            )
        if not ours:
            raise Broken("has neither a RayCluster nor a RayJob or RayService")
    except Broken as broken:
        fault = broken.fault("`fer-tune cluster show on-prem` prints a valid one")
        if not path.exists():
            fault = replace(fault, remedy=did_you_mean(name_or_path, shipped()))
        raise ClusterFileError(where, [fault]) from None
    faults: list[Fault] = []
    for document in ours:
        faults += document.repeated
        faults += _faults(document, crds)
        if space is not None and document.get("kind") != "RayService":  # which trains nothing
            # torch is loaded only here.
            from fer_tune.cluster.checks.memory_rules import check_fit

            faults += check_fit(document, space, worker_slots(document, gpu_memory))
    if faults:
        by_place = {(fault.line, fault.key, fault.rule): fault for fault in faults}
        raise ClusterFileError(where, list(by_place.values()))
    notes = [note for document in ours for note in _notes(document, space, gpu_memory, crds)]
    return Checked(summary=summary(ours[0]), notes=tuple(dict.fromkeys(notes)))


def _is_ours(document: Document) -> bool:
    if document.get("apiVersion"):
        return document.get("kind") in manifest_rules.KINDS
    known = {"provider", "cluster_name"} & set(document.mapping())
    return bool(known) or slurm.is_read_from(document) or skypilot.is_task(document)


def _faults(document: Document, crds: Path | None) -> Iterator[Fault]:
    if slurm.is_read_from(document):
        return slurm.check_script(document)
    if skypilot.is_task(document):
        return skypilot.check_task(document)
    return _manifest(document, crds) if document.get("kind") else _ray_up(document)


def _ray_up(document: Document) -> Iterator[Fault]:
    schema = list(check_schema(document))
    yield from schema
    keys = list(_provider_keys(document))
    yield from (fault for fault in keys if fault.key not in {known.key for known in schema})
    if str(document.get("provider", "type")) not in PROVIDER_KEYS:
        return
    yield from check_commands(document, *SETUP, *STARTS)
    yield from check_access(document)
    setup, scale = list(check_setup(document)), list(check_scale(document))
    yield from (*setup, *scale)
    yield from check_storage(document)
    missing = any(fault.rule == "is missing" for fault in (*keys, *setup))
    if not (schema or scale or missing):  # Ray stops at the first error
        yield from check_preparation(document)


def _provider_keys(document: Document) -> Iterator[Fault]:
    model = _MODELS.get(str(document.get("provider", "type")))
    if model is None or find_spec(model[0]) is not None:
        yield from check_provider(document)


def _manifest(document: Document, crds: Path | None) -> Iterator[Fault]:
    if crds is not None:
        from fer_tune.cluster.checks.crd import check_structure

        yield from check_structure(document, crds)
    yield from manifest_rules.check_manifest(document)


def _notes(
    document: Document, space: SearchSpace | None, gpu_memory: float | None, crds: Path | None
) -> Iterator[str]:
    to_fill = [
        str(number)
        for number, line in enumerate(document.lines, start=1)
        if "CHANGE-ME" in line and not line.startswith("#")
    ]
    if to_fill:
        yield f"to fill in: CHANGE-ME in line{'s' * (len(to_fill) > 1)} {', '.join(to_fill)}"
    model = _MODELS.get(str(document.get("provider", "type")))
    if model is not None and find_spec(model[0]) is None:
        yield f"keys of machines not checked: install fer-tune[{model[1]}]"
    if document.get("kind") and crds is None:
        yield "keys of the manifest not checked: specify KubeRay's CRDs with --crds FOLDER"
    for target, source in document.mapping("file_mounts").items():
        if not Path(str(source)).expanduser().exists():
            yield f"not here yet: {source}, which is copied to {target}"
    key = document.get("auth", "ssh_private_key")
    if isinstance(key, str) and not Path(key).expanduser().exists():
        yield f"not here yet: {key}, the login key"
    if images(document):
        yield (
            "Ray runs in a container: submit through `ray dashboard FILE` and --address, as "
            "--cluster connects to the host"
        )
    if space is None:
        yield "trials not checked: specify a search space with --space"
    elif space.resources.gpu:
        for slot in worker_slots(document, gpu_memory):
            if slot.gpus != 0 and slot.gpu_memory is None:
                yield f"GPU memory of {slot.name} unknown: specify it with --gpu-memory GIB"
    else:
        yield f"{space.name} uses no GPU (resources.gpu: 0)"
