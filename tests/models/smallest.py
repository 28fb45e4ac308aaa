"""The smallest network of every family, for tests that must hold for each of them."""

from __future__ import annotations

SMALLEST = ("densenet121", "resnet18")
