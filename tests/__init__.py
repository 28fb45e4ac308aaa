"""Tests of fer_tune and analysis."""

import os

# Threads that wait for work would otherwise spin on cores that other test processes need.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
# So would threads of OpenBLAS, and the matrices of tests are small: one is three times as cheap.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
