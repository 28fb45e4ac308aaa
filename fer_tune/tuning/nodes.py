"""Which node is to blame when trials fail: pure bookkeeping, without Ray."""

from __future__ import annotations

from collections import defaultdict

#: Failures in a row, without an epoch reported in between, after which a node is ill.
FAILURES = 2
#: The same for the last node left, if it ever worked: there bad configurations fail in a row too.
LAST_FAILURES, LAST_TRIALS = 6, 3


class NodeHealth:
    """Tells ill nodes from ill trials.

    A trial that also fails where others have worked is to blame itself, and accuses no node.
    Against a node speak failures in a row of two trials, or of one where nothing has worked yet.
    """

    def __init__(self) -> None:
        self._failures: dict[str, list[int]] = defaultdict(list)  # since the last epoch there
        self._failed_on: dict[int, set[str]] = defaultdict(set)
        self._worked: set[str] = set()

    def reported(self, node: str) -> None:
        """An epoch was trained there."""
        self._worked.add(node)
        self.forget(node)

    def forget(self, node: str) -> None:
        """Failures there so far no longer speak against it."""
        self._failures[node].clear()

    def failed(self, node: str, trial: int) -> None:
        """A process failed there, or could not even start."""
        self._failures[node].append(trial)
        self._failed_on[trial].add(node)

    def is_ill(self, node: str, *, last: bool = False) -> bool:
        """Whether the node is to be avoided; ``last``: no other one is left."""
        witnesses = self._worked - {node}
        accusers = [t for t in self._failures[node] if not self._failed_on[t] & witnesses]
        trials, worked = len(set(accusers)), node in self._worked
        if last and worked:
            return len(accusers) >= LAST_FAILURES and trials >= LAST_TRIALS
        return len(accusers) >= FAILURES and (trials > 1 or not worked)
