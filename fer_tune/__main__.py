"""``python -m fer_tune``: the same as ``fer-tune``."""

from fer_tune.cli import main

main()
