"""`fer-tune doctor`: what this machine has, and what is missing."""

from __future__ import annotations

import shutil
import tempfile

from rich.console import Console
from rich.table import Table


def examine() -> None:
    """Prints versions, accelerators, disk and weights."""
    import torch

    from fer_tune.errors import WeightsError
    from fer_tune.features import bank_folder
    from fer_tune.models import backbone, locate, weights_folder
    from fer_tune.training.compute import Compute
    from fer_tune.tuning.manifest import hardware, versions

    table = Table(box=None, show_header=False, pad_edge=False)
    for library, found in versions().items():
        table.add_row(library, found)
    machine = hardware()
    table.add_row("cpus", str(machine["cpus"]))
    table.add_row("memory", f"{machine['memory_gib']} GiB")
    table.add_row("accelerators", ", ".join(machine["gpus"]) or "none: trials run on the CPU")
    if torch.version.cuda and not machine["gpus"]:
        table.add_row("", f"torch is built for CUDA {torch.version.cuda} but sees no GPU")
    table.add_row("precision", str(Compute.choose().dtype).removeprefix("torch."))
    bank = bank_folder()
    free = shutil.disk_usage(bank if bank.exists() else tempfile.gettempdir()).free
    table.add_row("feature bank", f"{bank}, {free / 2**30:.0f} GiB free on its disk")
    table.add_row("weights folder", str(weights_folder()))
    for name in ("densenet161", "resnet152"):
        try:
            table.add_row(f"  {name}", f"imagenet-v1: {locate(backbone(name), 'imagenet-v1')}")
        except WeightsError as error:
            table.add_row(f"  {name}", f"imagenet-v1 missing. {error.remedy}")
    Console().print(table, highlight=False)
