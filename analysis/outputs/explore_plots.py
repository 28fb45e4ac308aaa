"""The figures of explore.html: Optuna's plots of one arm, and plots of all arms."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import copy
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import optuna
import pandas as pd
from optuna.trial import FrozenTrial, TrialState

from analysis.estimators.tuning.importance import NEEDED, evaluator_for, finished
from analysis.inputs.search import Search
from analysis.inputs.studies import ArmStudy, quiet
from analysis.validity.limits import domains
from fer_tune.escaping import plotly, readable

#: Most trials for which a browser draws bars, and curves, smoothly.
_MOST_SPANS, _MOST_CURVES = 400, 150
_HEIGHT = 460


@dataclass(frozen=True, kw_only=True)
class Plot:
    """A figure as JSON for plotly, with its heading and a description."""

    title: str
    words: str
    json: str
    height: int


def escaped(search: Search) -> Search:
    """``search`` with every name as plotly shows it, so that no plot reads one as HTML."""
    return replace(
        search,
        manifest=readable(search.manifest, plotly),
        arms=tuple(map(plotly, search.arms)),
        classes=tuple(map(plotly, search.classes)),
        trials=_escaped(search.trials),
        epochs=_escaped(search.epochs),
    )


def _escaped(frame: pd.DataFrame) -> pd.DataFrame:
    frame = frame.copy()
    for column in frame.select_dtypes(["object", "string"]):
        shown = {text: plotly(text) for text in frame[column].dropna().unique()}
        if any(text != name for text, name in shown.items()):
            frame[column] = frame[column].map(shown)
    return frame


def of_arm(search: Search, arm: ArmStudy) -> tuple[tuple[Plot, ...], tuple[str, ...]]:
    """Optuna's plots of one arm, and remarks on which plots are omitted and why."""
    remarks = []
    if arm.outside:
        remarks.append(
            f"{arm.outside} of the arm's trials are excluded: they have a value outside the "
            "search space, as baselines may have."
        )
    plots = []
    for title, words, make, reason in _offers(search, arm):
        if reason:
            remarks.append(f"{title} omitted: {reason}.")
        else:
            plots.append(_plot(title, words, make()))
    return tuple(plots), tuple(remarks)


def across(
    search: Search, studies: Mapping[str, ArmStudy]
) -> tuple[tuple[Plot, ...], tuple[str, ...]]:
    """All trials as lines through their hyperparameters, and the distribution of scores."""
    plots, remarks = [], []
    lines = _lines(search)
    if lines is None:
        remarks.append("Parallel coordinates omitted: no trial has a score.")
    else:
        words = "Every trial with a score; stopped trials with their best score so far."
        plots.append(_plot("Parallel coordinates", f"{words} Drag along an axis to select.", lines))
    scored = [arm.study for arm in studies.values() if finished(arm)]
    if scored:
        words = "Empirical distribution function of the final values, per arm."
        with quiet():
            plots.append(_plot("Distribution", words, optuna.visualization.plot_edf(scored)))
    return tuple(plots), tuple(remarks)


_Offer = tuple[str, str, Callable[[], Any], str]


def _offers(search: Search, arm: ArmStudy) -> Iterator[_Offer]:
    """Each plot: heading, description, how it is made, and why it is omitted, if it is."""
    study, names = arm.study, list(arm.parameters)
    final, ended = len(finished(arm)), len(study.get_trials(deepcopy=False))
    optuna_plots = optuna.visualization
    none = "" if final else "no trial has a final value"
    nothing = none or ("" if names else "no parameter was sampled")
    yield (
        "Optimisation history",
        "Final values in sampling order, and the best so far.",
        lambda: optuna_plots.plot_optimization_history(study),
        none,
    )
    two = _two(arm) if final else []
    few = f"{NEEDED} trials with a final value are needed" if final < NEEDED else ""
    yield (
        "Hyperparameter importance",
        "PED-ANOVA over trials with a final value. The report also shows the importance that "
        "chance alone gives.",
        lambda: optuna_plots.plot_param_importances(
            study, evaluator=evaluator_for(final), params=names
        ),
        few or nothing,
    )
    yield (
        "Slice plot",
        "Final values against each hyperparameter.",
        lambda: optuna_plots.plot_slice(study, params=names),
        nothing,
    )
    yield (
        "Contour of the two most important hyperparameters",
        "Final values, interpolated between trials.",
        lambda: optuna_plots.plot_contour(study, params=two),
        nothing or ("" if len(two) > 1 else "fewer than two parameters took several values"),
    )
    yield (
        "Parallel coordinates",
        "Trials with a final value.",
        lambda: optuna_plots.plot_parallel_coordinate(study, params=names),
        nothing,
    )
    best, shown = _with_curves(search, study)
    yield (
        "Intermediate values",
        f"Validation {search.metric_name} by epoch, of "
        f"{f'the best {shown}' if shown == _MOST_CURVES else f'{shown} reporting'} trials.",
        lambda: optuna_plots.plot_intermediate_values(best),
        "" if shown else "no trial has reported an epoch",
    )
    yield (
        "Timeline",
        "When each trial ran, and its state in the study.",
        lambda: optuna_plots.plot_timeline(study),
        _between(ended),
    )


def _between(ended: int) -> str:
    if not ended:
        return "no trial has ended"
    return f"{ended:,} trials are too many for a bar each" if ended > _MOST_SPANS else ""


def _two(arm: ArmStudy) -> list[str]:
    """The two most important parameters that took several values; with too few trials for an
    importance, the first two.
    """
    trials = finished(arm)
    names = [name for name in arm.parameters if len({t.params[name] for t in trials}) > 1]
    if len(trials) < NEEDED:
        return names[:2]
    shares = evaluator_for(len(trials)).evaluate(arm.study, names)
    return sorted(names, key=lambda name: -shares[name])[:2]


def _with_curves(search: Search, study: optuna.Study) -> tuple[optuna.Study, int]:
    """The study with the curves of its best trials alone, numbers unchanged; and how many."""
    sign = 1 if search.metric == "loss" else -1
    trials = [copy(trial) for trial in study.get_trials(deepcopy=False)]

    def standing(trial: FrozenTrial) -> float:
        return min(sign * value for value in trial.intermediate_values.values())

    # Optuna draws no curve of a trial that failed.
    drawn = [t for t in trials if t.intermediate_values and t.state is not TrialState.FAIL]
    curves = sorted(drawn, key=standing)
    for trial in curves[_MOST_CURVES:]:
        trial.intermediate_values = {}
    with quiet():
        shown = optuna.create_study(study_name=study.study_name, direction=study.direction)
        shown.add_trials(trials)
    return shown, min(len(curves), _MOST_CURVES)


def _lines(search: Search) -> Any:
    """Parallel coordinates of all arms: arm, state, what was sampled, score; colour is score."""
    import plotly.graph_objects as go

    trials = search.trials[search.trials[search.metric_column].notna()]
    if trials.empty:
        return None
    score = trials[search.metric_column]
    sampled = {name: d for arm in search.arms for name, d in domains(search, arm).items()}
    axes = [_names("arm", trials["arm"], list(search.arms))]
    axes += [_axis(name, domain, trials[name]) for name, domain in sampled.items()]
    axes += [_names("state", trials["state"], sorted(trials["state"].unique()))]
    axes += [{"label": search.metric_name, "values": score.tolist()}]
    return go.Figure(
        go.Parcoords(
            dimensions=axes,
            line={
                "color": score.tolist(),
                "colorscale": "Viridis",
                "reversescale": search.metric != "loss",
                "showscale": True,
            },
        )
    )


def _axis(name: str, domain: Mapping[str, Any], cells: pd.Series[Any]) -> dict[str, Any]:
    label = name.replace("_", " ")
    if domain["type"] == "choice":
        return _names(label, cells, list(domain["values"]))
    if not domain.get("log"):
        return {"label": label, "values": cells.astype(float).tolist()}
    numbers = cells.to_numpy(dtype=np.float64, na_value=np.nan)
    # Another arm may have it fixed at 0, which a logarithmic axis cannot show.
    values = np.log10(numbers, where=numbers > 0, out=np.full(numbers.shape, np.nan))
    ticks = np.unique(np.floor(values[np.isfinite(values)]))
    ticks = np.append(ticks, ticks[-1:] + 1)
    return {
        "label": label,
        "values": values.tolist(),
        "tickvals": ticks.tolist(),
        "ticktext": [f"{10**tick:g}" for tick in ticks],
    }


def _names(label: str, cells: pd.Series[Any], known: Sequence[Any]) -> dict[str, Any]:
    """A categorical axis; values that only a baseline has come last."""
    order = [*known, *(value for value in dict.fromkeys(cells) if value not in known)]
    return {
        "label": label,
        "values": [order.index(value) for value in cells],
        "tickvals": list(range(len(order))),
        "ticktext": [str(value) for value in order],
    }


def _plot(title: str, words: str, figure: Any) -> Plot:
    figure.update_layout(
        template="plotly_white", title=None, width=None, height=_HEIGHT, margin={"t": 50}
    )
    return Plot(title=title, words=words, json=figure.to_json(engine="json"), height=_HEIGHT)
