"""Backbones, their stages, the cut into prefix and tail, and where weights come from."""

from fer_tune.models.initial import calibrate, draw
from fer_tune.models.network import CutNetwork, build
from fer_tune.models.registry import STAGES, Backbone, backbone
from fer_tune.models.weights import (
    fetch,
    file_fingerprint,
    is_recipe,
    locate,
    read_state,
    weights_folder,
)

__all__ = [
    "STAGES",
    "Backbone",
    "CutNetwork",
    "backbone",
    "build",
    "calibrate",
    "draw",
    "fetch",
    "file_fingerprint",
    "is_recipe",
    "locate",
    "read_state",
    "weights_folder",
]
