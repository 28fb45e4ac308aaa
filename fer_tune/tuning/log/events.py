"""The event log of a search, written ahead of all other records: a resume reads it.

One JSON object per line in ``events.jsonl``, appended and flushed to the disk by the driver
alone. A kill at any instant leaves complete lines and at most one torn line at the end, which is
removed when the log is opened again. At a URL the log is a folder of segments (``event_store.py``).
The first line identifies the search; then come

=============  ============================================================================
``sitting``    a session began: a process started or resumed the search (command, versions,
               limits of the feature bank)
``asked``      a run was assigned (``run``), and the planned cohort that it used up
``skipped``    a planned trial was left out: no configuration fits into memory
``epoch``      a run reported an epoch (``result``), and whether it ended (``done``)
``replayed``   a run trained an epoch again that it had reported (``equal``: with that result)
``audited``    ASHA would have stopped a trial at ``epoch``; it runs on for the audit
``reserved``   what confirmation is expected to take of the budgets
``failed``     a run ended with an error
``no_gain``    more trials no longer pay (``trials`` and ``left`` per study, ``arms``)
``retried``    a run without a score is restarted: its earlier reports are void
``extended``   the budget grew (``budget``)
``searched``   all trials of the search have ended
``tick``       there was no other event for a while
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

from pydantic import TypeAdapter, ValidationError

from fer_tune.errors import ResultsError, reading
from fer_tune.schema import InvalidJson, first_error, parse_json, shown
from fer_tune.schema.limits import EVENT_BYTES
from fer_tune.storage import AnyPath
from fer_tune.tuning.log.assignment import Assignment, Cohort, EarlierTrial
from fer_tune.tuning.log.event_schema import EVENT, IDENTITY
from fer_tune.tuning.log.event_store import create_lines, open_lines, read_lines
from fer_tune.tuning.log.lease import Lease
from fer_tune.tuning.log.run_history import RunHistory

EVENTS_FILE = "events.jsonl"
FORMAT = 1
#: Budgets of time, accelerator hours and money include confirmation; in version 1 trials were asked
#: for until the wall time was used up, and confirmation came on top.
BUDGET_VERSION = 2
#: Seconds without an event after which a tick is written: a kill loses at most these.
TICK_INTERVAL_S = 10.0

Kind = Literal[
    "sitting",
    "asked",
    "skipped",
    "epoch",
    "replayed",
    "audited",
    "failed",
    "no_gain",
    "reserved",
    "retried",
    "extended",
    "searched",
    "tick",
]


class EventLog:
    """Appends events; the one writer of ``events.jsonl``.

    Every later event raises the first write error again, so that the search ends although Ray may
    swallow exceptions of a callback.

    Args:
        spent: seconds of search in earlier sessions.
        lease: of the folder at a URL; once it is lost, nothing is written.
    """

    def __init__(self, folder: AnyPath, *, spent: float = 0.0, lease: Lease | None = None) -> None:
        self.place = folder / EVENTS_FILE
        self._lease = lease
        self._lines = open_lines(self.place, None if lease is None else lease.check)
        self._spent = spent
        self._since: float | None = None  # since when the clock runs
        self._last = time.monotonic()
        self._error: OSError | None = None

    def __getstate__(self) -> dict[str, Any]:
        # Ray pickles what it is given; the copy is never used.
        return {}

    @classmethod
    def begin(
        cls, folder: AnyPath, identity: dict[str, Any], *, lease: Lease | None = None
    ) -> EventLog:
        """The log of a new search; ``identity`` is what a resume must find unchanged."""
        first = json.dumps({"log": FORMAT, **identity}, default=_plain)
        create_lines(folder / EVENTS_FILE, first.encode() + b"\n")
        return cls(folder, lease=lease)

    def append(self, kind: Kind, **fields: Any) -> None:
        """Writes one event durably, or raises OSError."""
        stamp = {"kind": kind, "at": time.time(), "spent": round(self.spent(), 3)}
        self._write({**stamp, **fields})

    @property
    def is_lost(self) -> bool:
        """Whether another process has taken the folder over."""
        return self._lease is not None and self._lease.is_lost

    @property
    def is_broken(self) -> bool:
        """Whether an event could not be written, or the folder is another process's now."""
        return self._error is not None or self.is_lost

    def tick(self) -> None:
        """Writes a tick if there was no event for a while."""
        if time.monotonic() - self._last > TICK_INTERVAL_S:
            self.append("tick")

    def spent(self) -> float:
        """Seconds of search so far, with earlier sessions, without confirmation."""
        return self._spent + (0.0 if self._since is None else time.monotonic() - self._since)

    @contextmanager
    def clock(self) -> Iterator[None]:
        """Counts the time inside against the wall-time budget."""
        self._since = time.monotonic()
        try:
            yield
        finally:
            self._spent, self._since = self.spent(), None

    def _write(self, event: dict[str, Any]) -> None:
        line = json.dumps(event, default=_plain).encode() + b"\n"
        if self._error:
            raise self._error  # a line after a torn line would be unreadable
        try:
            self._lines.append(line)
        except OSError as error:
            self._error = error
            raise
        self._last = time.monotonic()


@dataclass(kw_only=True)
class Session:
    """One process's work on the search; times in seconds since the Unix epoch."""

    began: float
    last_seen: float


@dataclass(kw_only=True)
class History:
    """The state of a search, from its event log.

    Attributes:
        identity: of the first line.
        runs: by number, in order of asking.
        skipped: (study, cohort) of every trial that was left out.
        larger: budgets that extended the search space's own.
        searched: all trials of the search have ended.
        spent: seconds of search.
        bank: limits of the feature bank in the last session that recorded them.
        no_gain: the decision that more trials do not pay; None before it, and after an extension.
    """

    identity: dict[str, Any]
    runs: dict[int, RunHistory] = field(default_factory=dict)
    skipped: list[tuple[str, Cohort]] = field(default_factory=list)
    sessions: list[Session] = field(default_factory=list)
    larger: list[dict[str, Any]] = field(default_factory=list)
    searched: bool = False
    spent: float = 0.0
    bank: dict[str, int] | None = None
    no_gain: dict[str, Any] | None = None

    @property
    def space(self) -> dict[str, Any]:
        """The search space as resolved, the budget as extended."""
        space: dict[str, Any] = self.identity["space"]
        return {**space, "budget": self.budgets[-1]}

    @property
    def training_version(self) -> int:
        """How the runs of this search are trained; searches of version 1 do not record it."""
        return self.identity.get("training_version") or 1

    @property
    def audit_version(self) -> int:
        """What counts as a copy in this search; searches of version 1 do not record it."""
        return self.identity.get("audit_version") or 1

    @property
    def earlier(self) -> list[EarlierTrial]:
        """Trials of earlier searches that the samplers learn from (``--warm-start``)."""
        return [EarlierTrial.from_dict(one) for one in self.identity.get("earlier") or ()]

    @property
    def budget_version(self) -> int:
        """What budgets include (:data:`BUDGET_VERSION`); searches of version 1 do not record it."""
        return self.identity.get("budget_version") or 1

    @property
    def budgets(self) -> list[dict[str, Any]]:
        """The budget that the search began with, and each that extended it."""
        return [self.identity["space"]["budget"], *self.larger]

    @property
    def wall_seconds(self) -> float:
        """Total time of all sessions."""
        return sum(max(0.0, session.last_seen - session.began) for session in self.sessions)

    @property
    def trials(self) -> list[RunHistory]:
        """Runs of the search itself, without confirmation."""
        return [run for run in self.runs.values() if run.assignment.cohort != "confirm"]

    def run(self, assignment: Assignment) -> RunHistory:
        """The history of a run, created if the searcher has only logged it so far."""
        new = RunHistory(assignment=assignment, planned=assignment.cohort)
        return self.runs.setdefault(assignment.number, new)

    def audited_at(self, number: int) -> int | None:
        """The epoch since which a trial is audited; None if it is not."""
        return self.runs[number].audited_at if number in self.runs else None

    def extend(self, budget: dict[str, Any]) -> None:
        """Extends the budget: the search continues."""
        self.searched, self.no_gain = False, None
        self.larger.append(budget)

    @classmethod
    def read(cls, folder: AnyPath) -> History:
        """Reads a log; may be called while it is written.

        Raises:
            ResultsError: there is none, or it is damaged or of another version.
        """
        path = folder / EVENTS_FILE
        with reading(path):
            return cls._replay(path, _events(path))

    @classmethod
    def _replay(cls, path: AnyPath, events: Iterator[tuple[str, dict[str, Any]]]) -> History:
        where, identity = next(events, (str(path), {}))
        if identity.get("log") != FORMAT:
            raise ResultsError(
                f"not an event log of a supported version ({FORMAT})",
                where=str(path),
                value=shown(identity.get("log")),
                remedy="Use the fer_tune version that wrote it (named in manifest.json)",
            )
        _check(IDENTITY, identity, where)
        history = cls(identity=identity)
        for where, event in events:
            _check(EVENT, event, where)
            try:
                history.apply(event)
            except KeyError:  # of a run that no earlier event assigned
                raise _damaged(
                    where, "trial refers to no earlier run", event.get("trial")
                ) from None
        return history

    def apply(self, event: dict[str, Any]) -> None:
        """Adds one event."""
        kind: Kind = event["kind"]
        self.spent = event["spent"]
        if self.sessions and kind not in (
            "sitting",
            "extended",
        ):  # those belong to the next session
            self.sessions[-1].last_seen = event["at"]
        if kind == "sitting":
            self.sessions.append(Session(began=event["began"], last_seen=event["at"]))
            self.bank = event.get("bank") or self.bank
        elif kind == "asked":
            assignment = Assignment.from_dict(event["run"])
            self.runs[assignment.number] = RunHistory(
                assignment=assignment, planned=event["planned"]
            )
        elif kind == "skipped":
            self.skipped.append((event["study"], event["planned"]))
        elif kind == "epoch":
            self.runs[event["trial"]].add_result(event["result"], done=event["done"])
        elif kind == "replayed":
            self.runs[event["trial"]].replayed += 1
        elif kind == "audited":
            self.runs[event["trial"]].audited_at = event["epoch"]
        elif kind == "failed":
            run = self.runs[event["trial"]]
            run.failed, run.out_of_memory = True, event.get("out_of_memory", False)
        elif kind == "no_gain":
            self.no_gain = {key: event[key] for key in ("trials", "left", "arms")}
        elif kind == "retried":
            old = self.runs[event["trial"]]
            self.runs[event["trial"]] = RunHistory(assignment=old.assignment, planned=old.planned)
        elif kind == "searched":
            self.searched = True
        elif kind == "extended":
            self.extend(event["budget"])


def has_log(folder: AnyPath) -> bool:
    """Whether the folder holds the event log of a search."""
    return (folder / EVENTS_FILE).exists()


def _events(path: AnyPath) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every event with its position."""
    for where, line in read_lines(path):
        if len(line) > EVENT_BYTES:
            raise _damaged(where, f"longer than {EVENT_BYTES} bytes")
        try:
            event = parse_json(line)
        except InvalidJson as error:
            raise _damaged(where, str(error), line[:40].decode(errors="replace")) from None
        if not isinstance(event, dict):
            raise _damaged(where, "not a mapping", shown(event))
        yield where, event


def _check(schema: TypeAdapter[Any], event: dict[str, Any], where: str) -> None:
    try:
        schema.validate_python(event)
    except ValidationError as error:
        raise _damaged(where, *first_error(error)) from None


def _damaged(where: str, rule: str, value: object = None) -> ResultsError:
    return ResultsError(
        f"damaged: not a valid event: {rule}",
        where=where,
        value=value,
        remedy="Restore the file from a backup, or start a new search",
    )


def _plain(value: Any) -> Any:
    """Numpy's scalars and arrays as Python's."""
    return value.tolist()
