"""Every error that fer_tune reports to its user.

::

    FerTuneError
    └── UserError            bad input: one clear message, exit code 2, no traceback
        ├── DataError        a source, a packed dataset or a split
        ├── SpaceError       a search space; lists all errors
        ├── ClusterFileError a cluster file; lists all errors
        ├── WeightsError     pretrained weights that are missing or do not fit
        ├── ModelError       a kept model that is missing, damaged or foreign
        ├── ResultsError     a results folder that is missing, foreign or in use
        └── EnvironmentFault the machine: no Ray at the address, no space left, no accelerator

Anything else that escapes is a bug and keeps its traceback.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass

from fer_tune.escaping import one_line

#: Characters of a value that a message shows.
_LONGEST = 300


class FerTuneError(Exception):
    """Base class of all errors."""


class UserError(FerTuneError):
    """Bad input: what is wrong, where, which value, and the remedy.

    ``str(error)`` is the whole message as the command line prints it, on one line and without
    credentials.

    Args:
        temporary: the same command may succeed later although nobody changes anything: a store is
            unavailable, another process uses the folder.
    """

    def __init__(
        self,
        what: str,
        *,
        where: str = "",
        value: object = None,
        remedy: str = "",
        temporary: bool = False,
    ) -> None:
        self.what = what
        self.where = where
        self.value = value
        self.remedy = remedy
        self.temporary = temporary
        super().__init__(what)

    def __str__(self) -> str:
        text = f"{self.where}: {self.what}" if self.where else self.what
        if self.value is not None:
            text += f" (got {_cut(self.value)})"
        stop = "" if text.endswith("?") else "."
        return _shown(f"{text}{stop} {self.remedy}" if self.remedy else text)

    def __reduce__(self) -> tuple[object, ...]:
        # Ray sends exceptions between processes; keyword-only arguments need help to survive it.
        return (_rebuild, (type(self), self.__dict__.copy()))


def _shown(text: str) -> str:
    """A message as one line; parts of it may be a library's words, or the user's."""
    from fer_tune.storage.secrets import masked  # which needs this module itself

    return one_line(masked(text))


def _cut(value: object) -> str:
    """A value, which may come from a file and be of any length."""
    from fer_tune.storage.secrets import masked

    text = masked(repr(value))  # of what is cut off, a part of a secret might remain
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."


def _rebuild(kind: type[UserError], fields: dict[str, object]) -> UserError:
    error = kind.__new__(kind)
    Exception.__init__(error, fields.get("what", ""))
    error.__dict__.update(fields)
    return error


class DataError(UserError):
    """A source, a packed dataset or a split cannot be used."""


class WeightsError(UserError):
    """Pretrained weights are missing or do not fit the backbone."""


class ModelError(UserError):
    """A kept model is missing, damaged, or of another schema."""


class ResultsError(UserError):
    """A results folder is missing, foreign, of another schema or in use."""


class EnvironmentFault(UserError):
    """The machine or cluster cannot do what was asked."""


def because(error: object) -> str:
    """Why an operation failed: of an OSError, the system's words without number and path."""
    return getattr(error, "strerror", None) or str(error) or type(error).__name__


def is_temporary(error: OSError) -> bool:
    """Whether it says that a store is unavailable (``fer_tune.storage.retry``)."""
    return error.errno == errno.EHOSTUNREACH


@contextmanager
def reporting(
    what: str,
    where: object,
    remedy: str,
    kind: type[UserError] = ResultsError,
    *,
    passing: tuple[type[OSError], ...] = (),
) -> Iterator[None]:
    """Turns an OSError inside it into a message for the user, which ends with the reason.

    Args:
        what: what failed, as in "cannot be written".
        where: the path or URL.
        remedy: what to do.
        kind: of the error that is raised.
        passing: kinds of OSError that are left as they are.
    """
    try:
        yield
    except passing:
        raise
    except OSError as error:
        raise kind(
            f"{what}: {because(error)}",
            where=str(where),
            remedy=remedy,
            temporary=is_temporary(error),
        ) from None


def reading(path: object, kind: type[UserError] = ResultsError) -> AbstractContextManager[None]:
    """Reports an OSError of a file or folder that is read; see :func:`reporting`."""
    return reporting("cannot be read", path, "Check the path and its permissions", kind)


@dataclass(frozen=True, kw_only=True)
class Fault:
    """An error in a file: the key, the rule it breaks, its value, the remedy and the position.

    Attributes:
        line: from 1; None for an error that is not in a file, such as a command-line option.
        column: from 1, for invalid YAML.
    """

    key: str
    rule: str
    value: object = None
    remedy: str = ""
    line: int | None = None
    column: int | None = None

    def __str__(self) -> str:
        at = (("line", self.line), ("column", self.column))
        known = "".join(f"{name} {number}, " for name, number in at if number is not None)
        text = f"{known}{self.key}: {self.rule}"
        if self.value is not None:
            text += f" (got {_cut(self.value)})"
        return _shown(f"{text}. {self.remedy}" if self.remedy else text)


class _InvalidFile(UserError):
    """A file with one or more errors, listed by line, those without a line last."""

    kind = ""

    def __init__(self, where: str, faults: Sequence[Fault]) -> None:
        assert faults, "at least one error"
        self.faults = tuple(sorted(faults, key=lambda one: (one.line is None, one.line or 0)))
        count = "1 error" if len(faults) == 1 else f"{len(faults)} errors"
        super().__init__(f"{count} in the {self.kind}", where=where)

    def __str__(self) -> str:
        lines = "\n".join(f"  - {fault}" for fault in self.faults)
        return f"{_shown(self.where)}: {self.what}:\n{lines}"


class SpaceError(_InvalidFile):
    """A search space with one or more errors, all of them listed."""

    kind = "search space"


class ClusterFileError(_InvalidFile):
    """A cluster file with one or more errors, all of them listed."""

    kind = "cluster file"
