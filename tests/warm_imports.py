"""What :mod:`tests.warm` imports once: all that a search needs."""

import importlib

for _name in (
    "analysis.outputs.explore",
    "analysis.outputs.terminal",
    "analysis.report",
    "fer_tune.cli.reporting",
    "fer_tune.cli.searching",
    "fer_tune.tuning.run",
    "tests.integration.recorded_search",
):
    importlib.import_module(_name)
