"""Tests of fer_tune and analysis."""

import os

# Threads that wait for work would otherwise spin on cores that other test processes need.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
