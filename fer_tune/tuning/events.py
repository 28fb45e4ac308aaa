"""The search's log of events, written ahead of everything else: what a resume goes by.

One JSON object per line in ``events.jsonl``, appended and flushed to the disk by the driver
alone. A kill at any instant leaves whole lines and at most one torn one at the end, which is cut
off when the log is opened again. At a URL the log is a folder of segments (``event_store.py``).
The first line says which search this is; then come

=============  ============================================================================
``sitting``    a process took the search up (command, versions)
``asked``      a run was assigned (``run``), and which cohort of its study that used up
``skipped``    a study's turn passed without a run: nothing that fits was left
``epoch``      a run reported (``result``), and whether it ended there (``done``)
``audited``    ASHA would stop a trial at ``epoch``; it runs on, for the audit alone
``failed``     a run ended with an error
``retried``    a run without a score begins anew: what it reported before is void
``extended``   the budget grew (``budget``)
``searched``   the search's trials are over
``tick``       nothing else was written for a while
=============  ============================================================================

each with ``at``, seconds since the Unix epoch, and ``spent``, seconds of search so far.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

from fer_tune.errors import ResultsError
from fer_tune.storage import Place
from fer_tune.tuning.assignment import Assignment, Cohort
from fer_tune.tuning.claim import Claim
from fer_tune.tuning.event_store import begin_lines, lines_at, read_lines
from fer_tune.tuning.run_history import RunHistory

EVENTS_FILE = "events.jsonl"
FORMAT = 1
#: Seconds without an event after which a tick is written: what a kill costs the clock at most.
TICK_S = 10.0

Kind = Literal[
    "sitting",
    "asked",
    "skipped",
    "epoch",
    "audited",
    "failed",
    "retried",
    "extended",
    "searched",
    "tick",
]


class EventLog:
    """Appends events; the one writer of ``events.jsonl``.

    The first error of the disk is raised again by every later event, so that the search ends
    although Ray may swallow what a callback raises.

    Args:
        spent: seconds of search in earlier sittings.
        claim: of the folder at a URL; who has lost it writes nothing more.
    """

    def __init__(self, folder: Place, *, spent: float = 0.0, claim: Claim | None = None) -> None:
        self.place = folder / EVENTS_FILE
        self._claim = claim
        self._lines = lines_at(self.place, None if claim is None else claim.check)
        self._spent = spent
        self._since: float | None = None  # since when the clock runs
        self._last = time.monotonic()
        self._fault: OSError | None = None

    def __getstate__(self) -> dict[str, Any]:
        # Ray pickles what it is given; nobody reads that copy.
        return {}

    @classmethod
    def begin(
        cls, folder: Place, identity: dict[str, Any], *, claim: Claim | None = None
    ) -> EventLog:
        """The log of a new search; ``identity`` is what a resume must find unchanged."""
        first = json.dumps({"log": FORMAT, **identity}, default=_plain)
        begin_lines(folder / EVENTS_FILE, first.encode() + b"\n")
        return cls(folder, claim=claim)

    def append(self, kind: Kind, **fields: Any) -> None:
        """Writes one event whole and to the disk, or raises OSError."""
        stamp = {"kind": kind, "at": time.time(), "spent": round(self.spent(), 3)}
        self._write({**stamp, **fields})

    @property
    def is_lost(self) -> bool:
        """Whether another process has taken the folder over, so that it is no longer ours."""
        return self._claim is not None and self._claim.is_lost

    def tick(self) -> None:
        """Keeps the clock of a quiet search."""
        if time.monotonic() - self._last > TICK_S:
            self.append("tick")

    def spent(self) -> float:
        """Seconds of search so far, earlier sittings included; confirmation does not count."""
        return self._spent + (0.0 if self._since is None else time.monotonic() - self._since)

    @contextmanager
    def clock(self) -> Iterator[None]:
        """What happens inside counts against the wall-time budget."""
        self._since = time.monotonic()
        try:
            yield
        finally:
            self._spent, self._since = self.spent(), None

    def _write(self, event: dict[str, Any]) -> None:
        line = json.dumps(event, default=_plain).encode() + b"\n"
        if self._fault:
            raise self._fault  # a line after a torn one would be lost with it
        try:
            self._lines.append(line)
        except OSError as error:
            self._fault = error
            raise
        self._last = time.monotonic()


@dataclass(kw_only=True)
class Sitting:
    """One process's work on the search, in seconds since the Unix epoch."""

    began: float
    last_seen: float


@dataclass(kw_only=True)
class History:
    """What a log says of the search so far.

    Attributes:
        identity: of the first line.
        runs: by number, in order of asking.
        skipped: (study, cohort) of every turn that passed.
        larger: budgets that extended the search space's own.
        searched: the search's trials are over.
        spent: seconds of search.
    """

    identity: dict[str, Any]
    runs: dict[int, RunHistory] = field(default_factory=dict)
    skipped: list[tuple[str, Cohort]] = field(default_factory=list)
    sittings: list[Sitting] = field(default_factory=list)
    larger: list[dict[str, Any]] = field(default_factory=list)
    searched: bool = False
    spent: float = 0.0

    @property
    def space(self) -> dict[str, Any]:
        """The search space as resolved, the budget as extended."""
        space: dict[str, Any] = self.identity["space"]
        return {**space, "budget": self.budgets[-1]}

    @property
    def budgets(self) -> list[dict[str, Any]]:
        """The budget that the search began with, and each that extended it."""
        return [self.identity["space"]["budget"], *self.larger]

    @property
    def wall_seconds(self) -> float:
        """What all sittings took."""
        return sum(sitting.last_seen - sitting.began for sitting in self.sittings)

    @property
    def trials(self) -> list[RunHistory]:
        """Runs of the search itself, without confirmation."""
        return [run for run in self.runs.values() if run.assignment.cohort != "confirm"]

    def run(self, assignment: Assignment) -> RunHistory:
        """What is known of a run; the searcher logs what it asks for without telling us."""
        new = RunHistory(assignment=assignment, planned=assignment.cohort)
        return self.runs.setdefault(assignment.number, new)

    def audited_at(self, number: int) -> int | None:
        """The epoch since which a trial is audited; None if it is not."""
        return self.runs[number].audited_at if number in self.runs else None

    def extend(self, budget: dict[str, Any]) -> None:
        """The search goes on with a larger budget."""
        self.searched = False
        self.larger.append(budget)

    @classmethod
    def read(cls, folder: Place) -> History:
        """Reads a log; may be called while it is written.

        Raises:
            ResultsError: there is none, or it is damaged or of another version.
        """
        path = folder / EVENTS_FILE
        try:
            return cls._folded(path, _events(path))
        except OSError as error:
            raise ResultsError(
                f"cannot be read: {error.strerror}",
                where=str(path),
                remedy="Check the path and its rights",
            ) from None

    @classmethod
    def _folded(cls, path: Place, events: Iterator[tuple[str, dict[str, Any]]]) -> History:
        history = cls(identity=next(events, ("", {}))[1])
        if history.identity.get("log") != FORMAT:
            raise ResultsError(
                f"not a log of events that this version reads ({FORMAT})",
                where=str(path),
                value=history.identity.get("log"),
                remedy="Use the fer_tune version that wrote it (named in manifest.json)",
            )
        for where, event in events:
            try:
                history.take(event)
            except (KeyError, TypeError, ValueError, AttributeError) as error:
                raise _damaged(where, f"{type(error).__name__}: {error}") from None
        return history

    def take(self, event: dict[str, Any]) -> None:
        """Adds one event."""
        kind: Kind = event["kind"]
        self.spent = event["spent"]
        if self.sittings and kind not in ("sitting", "extended"):  # the next sitting's
            self.sittings[-1].last_seen = event["at"]
        if kind == "sitting":
            self.sittings.append(Sitting(began=event["began"], last_seen=event["at"]))
        elif kind == "asked":
            assignment = Assignment.from_dict(event["run"])
            self.runs[assignment.number] = RunHistory(
                assignment=assignment, planned=event["planned"]
            )
        elif kind == "skipped":
            self.skipped.append((event["study"], event["planned"]))
        elif kind == "epoch":
            self.runs[event["trial"]].take(event["result"], done=event["done"])
        elif kind == "audited":
            self.runs[event["trial"]].audited_at = event["epoch"]
        elif kind == "failed":
            self.runs[event["trial"]].failed = True
        elif kind == "retried":
            old = self.runs[event["trial"]]
            self.runs[event["trial"]] = RunHistory(assignment=old.assignment, planned=old.planned)
        elif kind == "searched":
            self.searched = True
        elif kind == "extended":
            self.extend(event["budget"])


def has_log(folder: Place) -> bool:
    """Whether a search has begun there."""
    return (folder / EVENTS_FILE).exists()


def _events(path: Place) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every event and where it stands."""
    for where, line in read_lines(path):
        try:
            event = json.loads(line)
        except ValueError:
            event = None
        if not isinstance(event, dict):
            raise _damaged(where, line[:40].decode(errors="replace"))
        yield where, event


def _damaged(where: str, value: str) -> ResultsError:
    return ResultsError(
        "damaged: this line is no event of this search",
        where=where,
        value=value,
        remedy="Restore the file from a copy, or start the search anew",
    )


def _plain(value: Any) -> Any:
    """Numpy's scalars and arrays as Python's."""
    return value.tolist()
