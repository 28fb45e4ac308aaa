"""The Python interface: the commands of the command line as functions.

Its names are available as ``fer_tune.NAME``. Nothing heavy is imported before a function is called.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypedDict, Unpack

if TYPE_CHECKING:
    from rich.console import Console

    from fer_tune.data import PackedDataset
    from fer_tune.records import Results
    from fer_tune.serving.predictor import Predictor
    from fer_tune.space import SearchSpace
    from fer_tune.storage import AnyPath
    from fer_tune.tuning.options import Verbosity


class Options(TypedDict, total=False):
    """Options of :func:`search`, :func:`resume` and :func:`confirm`; all may be left out.

    Those of :class:`fer_tune.tuning.options.SearchOptions`, where each is described.
    """

    address: str | None
    cpus: int | None
    bank: Path | None
    bank_bytes: int | None
    dashboard: bool
    checkpoint_interval_s: float
    verbosity: Verbosity


def load_space(name_or_path: str, overrides: Sequence[str] = ()) -> SearchSpace:
    """A search space, read and checked.

    Args:
        name_or_path: a shipped name (``fer-tune spaces list``) or the path of a YAML file.
        overrides: ``key=value`` each, the key dotted, the value YAML; later ones win.

    Raises:
        SpaceError: lists every error of the file and of the overrides.

    Example:
        >>> import fer_tune
        >>> space = fer_tune.load_space("quickstart", ["budget.trials=4"])
        >>> list(space.compare.arms)
        ['densenet161', 'resnet152']
        >>> space.budget.trials
        4
    """
    from fer_tune.space import load

    return load(name_or_path, overrides)


def search(
    space: SearchSpace | str,
    data: PackedDataset | AnyPath | str,
    results: AnyPath | str,
    *,
    warm_start: Sequence[AnyPath | str] = (),
    **options: Unpack[Options],
) -> Results:
    """Runs a search with its confirmation and returns its results folder.

    Args:
        space: of :func:`load_space`, or a name or path for it.
        data: a packed dataset, or the path or URL of one.
        results: a folder that does not exist yet or is empty, a path or a URL.
        warm_start: results folders of earlier searches whose trials the samplers learn from.
        options: see :class:`Options`.

    Raises:
        UserError: the space, the data, the weights, the folder or the machine cannot be used.
        KeyboardInterrupt: of Ctrl-C; :func:`resume` continues the search.

    Example::

        results = fer_tune.search("quickstart", "data/synthetic", "results/first", cpus=2)
        print(results.read("trials")[["arm", "state", "best_macro_f1"]])
        analysis.write_report(results.root)
    """
    from fer_tune.data import PackedDataset
    from fer_tune.storage import UrlPath, any_path
    from fer_tune.tuning.files.dataset_cache import open_dataset
    from fer_tune.tuning.options import SearchOptions
    from fer_tune.tuning.run import run_search

    chosen = SearchOptions(**options)
    console = _console(chosen.verbosity)
    checked = load_space(space) if isinstance(space, str) else space
    url = None
    if not isinstance(data, PackedDataset):
        where = any_path(data)
        url = where if isinstance(where, UrlPath) else None
        data = open_dataset(where, console)
    return run_search(checked, data, results, chosen, console, data=url, warm_start=warm_start)


def resume(
    results: AnyPath | str,
    *,
    data: AnyPath | str | None = None,
    extend: Sequence[str] = (),
    **options: Unpack[Options],
) -> Results:
    """Resumes an interrupted search, or extends a finished one.

    Args:
        results: its results folder, a path or a URL.
        data: where the packed dataset is now; by default where it was.
        extend: ``trials=N`` (in all), ``wall_time=T``, ``accelerator_hours=H`` or
            ``money=M``, more than before.
        options: see :class:`Options`.

    Raises:
        ResultsError: not the folder of a search, in use, or its search space was changed.
        DataError, WeightsError: the dataset or the weights are missing or differ.
        KeyboardInterrupt: of Ctrl-C; it can be resumed again.

    Example::

        fer_tune.resume("results/first", extend=["trials=24"], cpus=2)
    """
    from fer_tune.storage import any_path
    from fer_tune.tuning.options import SearchOptions
    from fer_tune.tuning.run import resume_search

    chosen = SearchOptions(**options)
    where = None if data is None else any_path(data)
    console = _console(chosen.verbosity)
    return resume_search(results, chosen, console, data=where, extend=extend)


def confirm(
    results: AnyPath | str,
    seeds: int | None = None,
    *,
    data: AnyPath | str | None = None,
    keep_models: bool = False,
    **options: Unpack[Options],
) -> Results:
    """Adds confirmation runs to a finished search, without choosing again.

    Args:
        results: its results folder, a path or a URL.
        seeds: runs per chosen configuration, in all, at least 2; None adds none.
        data: where the packed dataset is now; by default where it was.
        keep_models: train the best runs whose models were not kept again, for their models.
        options: see :class:`Options`.

    Raises:
        ResultsError: the search has not made its choice yet, or ``seeds`` is out of its range.
        DataError, WeightsError: the dataset or the weights are missing or differ.

    Example::

        fer_tune.confirm("results/first", 10, cpus=2)
    """
    from fer_tune.storage import any_path
    from fer_tune.tuning.options import SearchOptions
    from fer_tune.tuning.run import confirm_more

    chosen = SearchOptions(**options)
    where = None if data is None else any_path(data)
    console = _console(chosen.verbosity)
    return confirm_more(results, seeds, chosen, console, where, keep_models=keep_models)


def load_model(
    where: AnyPath | str, *, device: str | None = None, batch_size: int = 64
) -> Predictor:
    """A trained model that predicts.

    Args:
        where: a model folder, a results folder (the arm with the better validation score), or the
            URL of either.
        device: ``cpu``, ``cuda`` or ``cuda:1``; by default an accelerator where there is one.
        batch_size: faces that go through the network at once.

    Raises:
        ModelError: no model there, or one that cannot be used.
        EnvironmentFault: there is no such device.

    Example::

        model = fer_tune.load_model("results/first")
        print(model.predict(["face.jpg"])[["picture", "expression", "probability"]])
    """
    from fer_tune.serving.finding import find_model
    from fer_tune.serving.predictor import Predictor

    return Predictor(find_model(where), device=device, batch_size=batch_size)


def _console(verbosity: Verbosity) -> Console:
    from rich.console import Console

    return Console(quiet=verbosity == "quiet")
