"""`fer-tune profile`: how many trials of a search space should share a GPU."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer

from fer_tune.cli.option_groups import AsJson

if TYPE_CHECKING:
    from fer_tune.profiling.proposal import Measured, Proposal

_HEADINGS = ("arm", "crop", "depth", "batch", "memory MiB", "prefix/s", "training/s", "busy")
_LIMITS = {
    "memory": "more do not fit into its memory",
    "busy": "more would only wait for each other",
    "cpus": "there are no CPUs for more",
    "most": "it is the smallest share",
}


def register(app: typer.Typer) -> None:
    """Adds the command to ``app``."""
    app.command()(profile)


def profile(
    space: Annotated[str, typer.Argument(help="A shipped search space's name, or a YAML file.")],
    data: Annotated[str, typer.Option("--data", help="A packed dataset: a folder or a URL.")],
    set_: Annotated[list[str] | None, typer.Option("--set", help="Override; repeatable.")] = None,
    cases: Annotated[int, typer.Option("--cases", min=1, help="Most configurations.")] = 24,
    steps: Annotated[int, typer.Option("--steps", min=1, help="Timed steps of each.")] = 10,
    as_json: AsJson = False,
) -> None:
    """Measure memory, speed and busy share of a search's trials, and propose resources.gpu."""
    from rich.console import Console

    from fer_tune.console import plain_table, say
    from fer_tune.escaping import json_text
    from fer_tune.features.folder import bank_folder
    from fer_tune.process.cpus import available_cpus
    from fer_tune.profiling.cases import cases as cases_of
    from fer_tune.profiling.measuring import measure, meter_of
    from fer_tune.profiling.proposal import propose
    from fer_tune.space import load
    from fer_tune.storage import any_path
    from fer_tune.training.device.compute import Compute
    from fer_tune.training.device.gpu_share import CONTEXT_BYTES
    from fer_tune.tuning.files.dataset_cache import open_dataset
    from fer_tune.tuning.options import SearchOptions
    from fer_tune.tuning.preparation import check_weights
    from fer_tune.tuning.settings import trial_context

    console = Console(stderr=as_json)
    loaded = load(space, set_ or [])
    dataset = open_dataset(any_path(data), console)
    check_weights(loaded)
    context = trial_context(loaded, dataset, SearchOptions(), bank_folder())
    compute = Compute.choose(context.precision, context.device, context.gpu)
    meter = meter_of(compute, memory=_machine_memory(), threads=context.threads)
    chosen = cases_of(loaded, cases)
    measured = []
    for number, case in enumerate(chosen, 1):
        with console.status(f"{number} of {len(chosen)}: {_words(case)}"):
            measured.append(measure(context, loaded, case, meter, steps=steps))
    on_gpu = compute.device.type == "cuda"
    proposal = propose(
        measured,
        memory=meter.memory,
        context=CONTEXT_BYTES if on_gpu else 0,
        cpus=available_cpus() // _gpus(),
        cpus_per_trial=loaded.resources.cpu,
    )
    if as_json:
        found = _found(measured, proposal if on_gpu else None, compute.device.type)
        typer.echo(json_text(found, indent=2))
        return
    say(console, plain_table([_row(one) for one in measured], *_HEADINGS))
    say(console, _conclusion(proposal) if on_gpu else _ON_CPU, wrap=True)


_ON_CPU = (
    "These are figures of the CPU: the search space asks for no GPU. "
    "To measure one, add --set resources.gpu=1."
)


def _words(case: Any) -> str:
    return f"{case.arm}, {case.crop_size} px, depth {case.unfreeze_depth}, batch {case.batch_size}"


def _row(one: Measured) -> Sequence[object]:
    case = one.case
    shape = (case.arm, case.crop_size, case.unfreeze_depth, case.batch_size)
    if one.error is not None:
        return (*shape, one.error, "", "", "")
    prefix = "–" if one.prefix_per_s is None else f"{one.prefix_per_s:.0f}"
    return (
        *shape,
        f"{one.peak / 2**20:.0f}",
        prefix,
        f"{one.pictures_per_s:.0f}",
        f"{one.busy:.0%}",
    )


def _conclusion(proposal: Proposal) -> str:
    if proposal.packing == 0:
        return (
            "Not every configuration fits into the memory of this GPU. Reduce crop_size, "
            "unfreeze_depth or batch_size; a search with these ends such trials as oom."
        )
    if proposal.packing == 1:
        return f"resources.gpu: 1. One trial per GPU: {_LIMITS[proposal.limit]}."
    return (
        f"resources.gpu: {proposal.share}. {proposal.packing} trials per GPU are expected to "
        f"finish {proposal.gain:.1f} times as much as one: {_LIMITS[proposal.limit]}."
    )


def _found(measured: Sequence[Measured], proposal: Proposal | None, device: str) -> dict[str, Any]:
    from dataclasses import asdict

    found: dict[str, Any] = {"device": device, "cases": [asdict(one) for one in measured]}
    found["proposal"] = (
        None if proposal is None else {**asdict(proposal), "resources.gpu": proposal.share}
    )
    return found


def _gpus() -> int:
    import torch

    return max(1, torch.cuda.device_count())


def _machine_memory() -> int:
    import os

    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
