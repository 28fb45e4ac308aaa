"""A user of this machine who is not the one of the tests."""

from __future__ import annotations

import os

import pytest

NOBODY = 65534
needs_root = pytest.mark.skipif(os.getuid() != 0, reason="only root can become another user")
