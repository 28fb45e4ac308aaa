"""A small real search: what it searches, and what two runs of it do not share."""

from __future__ import annotations

SPACE = """
name: tiny
purpose: Two small backbones on few faces.
compare: {arms: [densenet121, resnet18]}
parameters:
  unfreeze_depth: {type: int, low: 0, high: 1}
  crop_size: 32
  lr_head: {type: float, low: 1e-3, high: 1e-2, log: true}
  batch_size: 32
budget: {trials: 4, max_epochs: 2}
scheduler: {kind: asha, grace_epochs: 1, reduction_factor: 2}
stopper: {patience: 1}
resources: {cpu: 1, max_concurrent: 1}
weights: none
precision: float32
confirm: {seeds: 2}
"""
TIMES = ["started", "setup_seconds", "seconds", "accelerator_seconds", "cpu_seconds"]
TIMES += ["peak_memory_mib", "peak_reserved_mib", "images_per_s", "bank_hits", "bank_misses"]
