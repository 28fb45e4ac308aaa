"""Every fault that fer_tune tells its user about.

::

    FerTuneError
    └── UserError            bad input: one clear message, exit code 2, no traceback
        ├── DataError        a source, a packed dataset or a split
        ├── SpaceError       a search space; carries every fault found at once
        ├── ClusterFileError a cluster file; carries every fault found at once
        ├── WeightsError     pretrained weights that are missing or do not fit
        ├── ResultsError     a results folder that is missing, foreign or in use
        └── EnvironmentFault the machine: no Ray at the address, no space left, no accelerator

Anything else that escapes is a bug and keeps its traceback.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


class FerTuneError(Exception):
    """Root of the tree."""


class UserError(FerTuneError):
    """Bad input: what is wrong, where it stands, which value, what to do.

    ``str(error)`` is the whole message as the command line prints it.
    """

    def __init__(
        self, what: str, *, where: str = "", value: object = None, remedy: str = ""
    ) -> None:
        self.what = what
        self.where = where
        self.value = value
        self.remedy = remedy
        super().__init__(what)

    def __str__(self) -> str:
        text = f"{self.where}: {self.what}" if self.where else self.what
        if self.value is not None:
            text += f" (got {self.value!r})"
        stop = "" if text.endswith("?") else "."
        return f"{text}{stop} {self.remedy}" if self.remedy else text

    def __reduce__(self) -> tuple[object, ...]:
        # Ray sends exceptions between processes; keyword-only arguments need help to survive it.
        return (_rebuild, (type(self), self.__dict__.copy()))


def _rebuild(kind: type[UserError], fields: dict[str, object]) -> UserError:
    error = kind.__new__(kind)
    Exception.__init__(error, fields.get("what", ""))
    error.__dict__.update(fields)
    return error


class DataError(UserError):
    """A source, a packed dataset or a split cannot be used."""


class WeightsError(UserError):
    """Pretrained weights are missing or do not fit the backbone."""


class ResultsError(UserError):
    """A results folder is missing, foreign, of another schema or in use."""


class EnvironmentFault(UserError):
    """The machine or cluster cannot do what was asked."""


@dataclass(frozen=True, kw_only=True)
class Fault:
    """One fault of a file: the key, the rule it breaks, its value, the remedy and the line."""

    key: str
    rule: str
    value: object = None
    remedy: str = ""
    line: int | None = None

    def __str__(self) -> str:
        text = f"{self.key}: {self.rule}"
        if self.line is not None:
            text = f"line {self.line}, {text}"
        if self.value is not None:
            text += f" (got {self.value!r})"
        return f"{text}. {self.remedy}" if self.remedy else text


class _FaultyFile(UserError):
    """A file with one or more faults, all of them listed."""

    kind = ""

    def __init__(self, where: str, faults: Sequence[Fault]) -> None:
        assert faults, "a faulty file has at least one fault"
        self.faults = tuple(faults)
        count = "1 fault" if len(faults) == 1 else f"{len(faults)} faults"
        super().__init__(f"{count} in the {self.kind}", where=where)

    def __str__(self) -> str:
        lines = "\n".join(f"  - {fault}" for fault in self.faults)
        return f"{self.where}: {self.what}:\n{lines}"


class SpaceError(_FaultyFile):
    """A search space with one or more faults, all of them listed."""

    kind = "search space"


class ClusterFileError(_FaultyFile):
    """A cluster file with one or more faults, all of them listed."""

    kind = "cluster file"
