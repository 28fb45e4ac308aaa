"""Whether a node is the cause when trials fail: bookkeeping without Ray."""

from __future__ import annotations

from collections import defaultdict

#: Consecutive failures, without a reported epoch in between, after which a node is unhealthy.
FAILURES = 2
#: The same for the last remaining node, if it ever worked: bad configurations fail in a row too.
LAST_FAILURES, LAST_TRIALS = 6, 3


class NodeHealth:
    """Tells unhealthy nodes from failing trials.

    A trial that also fails on a node where others worked is itself the cause, and counts against no
    node. Two trials that fail in a row count against a node, or one where nothing has worked yet.
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
        """Failures there so far no longer count."""
        self._failures[node].clear()

    def failed(self, node: str, trial: int) -> None:
        """A process failed there, or failed to start."""
        self._failures[node].append(trial)
        self._failed_on[trial].add(node)

    def is_unhealthy(self, node: str, *, last: bool = False) -> bool:
        """Whether the node is to be avoided; ``last``: it is the only one left."""
        witnesses = self._worked - {node}
        accusers = [t for t in self._failures[node] if not self._failed_on[t] & witnesses]
        trials, worked = len(set(accusers)), node in self._worked
        if last and worked:
            return len(accusers) >= LAST_FAILURES and trials >= LAST_TRIALS
        return len(accusers) >= FAILURES and (trials > 1 or not worked)
