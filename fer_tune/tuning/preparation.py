"""Weights, feature bank and class weights, checked before a trial starts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from rich.console import Console

from fer_tune.console import say
from fer_tune.data import Split, with_label_noise
from fer_tune.data.dataset import DatasetIndex
from fer_tune.errors import EnvironmentFault, WeightsError, because
from fer_tune.features.folder import bank_folder, check_folder
from fer_tune.space import SearchSpace, TrialConfig
from fer_tune.space.domains import ChoiceDomain
from fer_tune.tuning.options import SearchOptions


def check_weights(space: SearchSpace, manifest: Mapping[str, Any] | None = None) -> None:
    """Checks every arm's weights before a trial starts.

    Args:
        manifest: of the search that is resumed.

    Raises:
        WeightsError: they are not on this machine, do not fit, or are not those of ``manifest``.
    """
    if space.weights == "none":
        return
    # With torch behind them they take seconds, in which Ray could start.
    from fer_tune.models.registry import backbone
    from fer_tune.models.weights import file_fingerprint, locate, read_state

    for arm in space.compare.arms:
        entry = backbone(space.config(arm, {}).backbone)
        path = locate(entry, space.weights)
        if path is None:
            continue
        read_state(path, entry)
        before = manifest["arms"][arm]["weights_sha256"] if manifest else None
        if before is not None and (now := file_fingerprint(path)) != before:
            raise WeightsError(
                "not the weights that this search began with",
                where=str(path),
                value=f"sha256 {now[:12]}",
                remedy=f"Restore the file with sha256 {before[:12]}",
            )


def check_bank(options: SearchOptions, console: Console) -> None:
    """Checks that the folder of the feature bank can be used, and creates it.

    An error only where all trials run here. On a cluster each machine has its own bank, and this
    one may run no trials: a worker without a bank computes features on demand.

    Raises:
        EnvironmentFault: no bank can be kept there.
    """
    folder = options.bank or bank_folder()
    try:
        check_folder(folder)
    except OSError as error:
        what = f"the feature bank cannot be used here: {because(error)}"
        if options.address is None:
            raise EnvironmentFault(
                what, where=str(folder), remedy="Choose another folder with --bank or FER_TUNE_BANK"
            ) from None
        say(
            console,
            f"warning: {folder}: {what}. Trials on this machine compute all features on demand.",
        )


def report_idle_gpu(space: SearchSpace, gpus: float, console: Console) -> None:
    """Warns of GPUs that no trial will use.

    Args:
        gpus: of all machines.
    """
    if space.resources.gpu or not gpus:
        return
    one = f"{gpus:g} GPU is" if gpus == 1 else f"{gpus:g} GPUs are"
    say(
        console,
        f"warning: {one} not used, as resources.gpu is 0: all trials run on CPUs. To use them, "
        "start with --set resources.gpu=1, or the share that `fer-tune profile` proposes.",
    )


def report_unweighted_classes(
    space: SearchSpace, dataset: DatasetIndex, split: Split, console: Console
) -> None:
    """Warns of classes without training pictures where balanced class weights may be used.

    They get weight 0. Label noise can take every picture of a class; the largest share that the
    search space permits is looked at.
    """
    shares = [
        _most_label_noise(space, arm)
        for arm in space.compare.arms
        if "balanced" in _class_weights(space, arm)
    ]
    if not shares:
        return
    share, classes = max(shares), len(dataset.classes)
    labels = with_label_noise(
        dataset.labels[split.train],
        split.train,
        share=share,
        classes=classes,
        seed=space.seeds.views,
    )
    counts = np.bincount(labels, minlength=classes)
    if absent := [name for name, count in zip(dataset.classes, counts, strict=True) if not count]:
        noise = f" at label_noise {share:g}" if share else ""
        say(
            console,
            f"warning: no training picture{noise} has class {', '.join(absent)}: "
            "with balanced class weights its weight is 0.",
        )


def _class_weights(space: SearchSpace, arm: str) -> set[str]:
    """The values of ``class_weights`` that trials of ``arm`` may have."""
    found = {config.class_weights for config in _named_configs(space, arm)}
    domain = space.domains(arm).get("class_weights")
    return found | {*map(str, domain.values)} if isinstance(domain, ChoiceDomain) else found


def _most_label_noise(space: SearchSpace, arm: str) -> float:
    most = max(config.label_noise for config in _named_configs(space, arm))
    domain = space.domains(arm).get("label_noise")
    if domain is None:
        return most
    high = max(map(float, domain.values)) if isinstance(domain, ChoiceDomain) else domain.high
    return max(most, float(high))


def _named_configs(space: SearchSpace, arm: str) -> list[TrialConfig]:
    """What the file fixes, with defaults for the rest, and the baselines."""
    return [space.config(arm, {}), *space.baselines(arm)]
