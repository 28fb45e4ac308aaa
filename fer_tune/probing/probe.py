"""Probing: the features of each case, then the regression on them."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from fer_tune.data.packing.together import joined
from fer_tune.errors import EnvironmentFault
from fer_tune.features.source import FeatureSource, chunk_size
from fer_tune.probing.cases import Case
from fer_tune.probing.estimates import ESTIMATOR, LEVEL, interval
from fer_tune.probing.folds import check_groups, folds_of
from fer_tune.probing.regression import Floats, Ints, Pictures, cross_validate
from fer_tune.schema.probe import PROBE_VERSION, Probe, ProbeRow, ProbeScores
from fer_tune.space import SearchSpace
from fer_tune.training.context import TrialContext
from fer_tune.training.device.compute import Compute
from fer_tune.training.inputs import data_of
from fer_tune.training.trial import RunSeeds, TrialRun

Say = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class _Features:
    """Of one case, float32 (n, f) each, by view; see :class:`Pictures`."""

    fitted: Floats
    scored: Floats
    from_bank: bool | None
    seconds: float


def probe(
    space: SearchSpace, context: TrialContext, chosen: Sequence[Case], *, folds: int, say: Say
) -> Probe:
    """Cross-validated logistic regression on the features of each case; reads training alone.

    Args:
        context: of the search; its bank keeps the features.
        folds: of the outer cross-validation, at least 3.
        say: called with a line of progress.

    Raises:
        DataError: too few pictures for the folds.
        EnvironmentFault: not enough memory for a network.
    """
    began = time.monotonic()
    dataset, split = data_of(context)
    labels = dataset.labels[split.train]
    groups = _groups(context)
    check_groups(labels, groups, folds, context.dataset)
    outer = folds_of(labels, groups, folds, context.split_seed)
    known: dict[tuple[str, int, str], ProbeRow] = {}
    rows = []
    for case in chosen:
        if case.features not in known:
            name = f"{case.config.backbone}, {case.config.crop_size} px"
            say(f"{name}: features of {len(labels):,} pictures")
            features = _features(context, case)
            pictures = Pictures(
                fitted=features.fitted,
                scored=features.scored,
                labels=labels,
                groups=groups,
                classes=len(dataset.classes),
            )
            known[case.features] = _row(space, context, case, features, pictures, outer, name, say)
        rows.append(known[case.features].model_copy(update={"arm": case.arm}))
    device, precision = _arithmetic(context)
    return Probe(
        version=PROBE_VERSION,
        space=space.name,
        fingerprint=dataset.fingerprint,
        weights=space.weights,
        metric=space.metric,
        pictures=len(labels),
        groups=len(np.unique(groups)),
        folds=folds,
        level=LEVEL,
        estimator=f"{folds}-fold cross-validation; {ESTIMATOR}",
        device=device,
        precision=precision,
        seconds=time.monotonic() - began,
        rows=rows,
    )


def _groups(context: TrialContext) -> Ints:
    """Groups of training pictures, int64 (n,): copies, near copies and pictures of one person.

    Near copies always count: with one of them on either side a score would be too high.
    """
    dataset, split = data_of(context)
    groups = dataset.related
    if dataset.subjects is not None:
        groups = joined(groups, dataset.subjects)
    return groups[split.train]


def _row(
    space: SearchSpace,
    context: TrialContext,
    case: Case,
    features: _Features,
    pictures: Pictures,
    folds: Ints,
    name: str,
    say: Say,
) -> ProbeRow:
    began, count = time.monotonic(), int(folds.max()) + 1
    found = cross_validate(
        pictures,
        folds,
        metric=space.metric,
        seed=context.split_seed,
        each=lambda number: say(f"{name}: fold {number} of {count}"),
    )
    estimates = interval(
        found.probabilities, pictures.labels, pictures.groups, seed=context.split_seed
    )
    return ProbeRow(
        arm=case.arm,
        backbone=case.config.backbone,
        crop_size=case.config.crop_size,
        augment_policy=case.config.augment_policy,
        features=features.fitted.shape[1],
        scores=ProbeScores(**estimates),
        strengths=list(found.strengths),
        from_bank=features.from_bank,
        feature_seconds=features.seconds,
        fit_seconds=time.monotonic() - began,
    )


def _features(context: TrialContext, case: Case) -> _Features:
    """Through a run of the search, so that its bank entries are those of the search's trials."""
    began = time.monotonic()
    seeds = RunSeeds(run=0, weights=context.weights_seed, views=context.view_seed)
    run = TrialRun(_whole_device(context), case.config, seeds)
    run.prepare()
    if run.curve.out_of_memory:
        raise EnvironmentFault(
            "not enough memory for the network",
            where=f"{case.config.backbone} at {case.config.crop_size} px",
            remedy="Choose smaller crops with --crop",
        )
    chunk = chunk_size(run.compute.device, case.config.crop_size)
    sources = (run.features.train.view(0), run.features.train_as_evaluated())
    fitted, scored = (_matrix(source, chunk) for source in sources)
    hits = [source.hit for source in sources]
    return _Features(
        fitted=fitted,
        scored=scored,
        from_bank=None if None in hits else all(hits),
        seconds=time.monotonic() - began,
    )


def _matrix(source: FeatureSource, chunk: int) -> Floats:
    places = np.arange(len(source))
    parts = [
        source.rows(places[start : start + chunk]).float().cpu().numpy()
        for start in range(0, len(source), chunk)
    ]
    return np.concatenate(parts)


def _whole_device(context: TrialContext) -> TrialContext:
    """A probe shares its accelerator with nobody, and takes the CPU where there is none."""
    return replace(context, gpu=0.0)


def _arithmetic(context: TrialContext) -> tuple[str, str]:
    compute = Compute.choose(context.precision, context.device)
    return compute.device.type, str(compute.dtype).removeprefix("torch.")
