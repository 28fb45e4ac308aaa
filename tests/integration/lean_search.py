"""``fer-tune`` on a lean Ray: a process that tests can disturb."""

from __future__ import annotations

import fer_tune.cli
from tests.lean_ray import lean_ray


def main() -> None:
    with lean_ray():
        fer_tune.cli.main()
