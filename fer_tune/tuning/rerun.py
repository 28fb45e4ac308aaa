"""A search by a command that may be repeated: launchers recover by running it again."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from rich.console import Console

from fer_tune.errors import reading
from fer_tune.records import Results
from fer_tune.space import SearchSpace
from fer_tune.space.plan import resolved_sampler
from fer_tune.storage import AnyPath, UrlPath, any_path
from fer_tune.tuning.files.dataset_cache import check_dataset, open_dataset
from fer_tune.tuning.log.events import History, has_log
from fer_tune.tuning.log.folder import BegunError, check_unused
from fer_tune.tuning.log.resume_checks import check_same_search
from fer_tune.tuning.options import SearchOptions
from fer_tune.tuning.preparation import check_bank, check_weights
from fer_tune.tuning.run import resume_search, run_search
from fer_tune.tuning.studies.extras import check_installed


def search_or_resume(
    space: SearchSpace,
    data: AnyPath,
    folder: AnyPath | str,
    options: SearchOptions,
    console: Console,
    *,
    command_began: float | None = None,
    warm_start: Sequence[AnyPath | str] = (),
) -> Results:
    """Begins the search, or resumes it if ``folder`` holds it; one that has finished is left as is.

    The same call may be repeated until it returns, after a kill at any instant. Another process
    that writes there is waited for, as its machine may be down (``log/writer.py``).

    Args:
        data: the packed dataset, a path or a URL.
        folder: new, empty, or of this search.
        command_began, warm_start: as of :func:`fer_tune.tuning.run.run_search`.

    Raises:
        ResultsError: ``folder`` holds another search or other files, or another process is still
            writing to it.
        UserError: as of ``run_search`` and ``resume_search``; ``temporary`` says whether the same
            call may succeed later.
        KeyboardInterrupt: the same call resumes it.
    """
    folder = any_path(folder)
    with reading(folder):
        begun = has_log(folder)
    if not begun:
        with suppress(BegunError):  # by another process, meanwhile
            return _search(space, data, folder, options, console, command_began, warm_start)
    history = History.read(folder)
    check_same_search(space, history, folder)
    if fingerprint := history.identity.get("fingerprint"):  # otherwise the resume reports it
        check_dataset(data, fingerprint)
    return resume_search(
        folder, options, console, data=data, command_began=command_began, patient=True
    )


def _search(
    space: SearchSpace,
    data: AnyPath,
    folder: AnyPath,
    options: SearchOptions,
    console: Console,
    command_began: float | None,
    warm_start: Sequence[AnyPath | str],
) -> Results:
    check_unused(folder)
    check_installed(resolved_sampler(space))
    check_weights(space)
    check_bank(options, console)
    return run_search(
        space,
        open_dataset(data, console),
        folder,
        options,
        console,
        data=data if isinstance(data, UrlPath) else None,
        command_began=command_began,
        patient=True,
        warm_start=warm_start,
    )
