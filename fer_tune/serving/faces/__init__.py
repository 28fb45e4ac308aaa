"""Faces: found in a picture, and cropped as the training pictures are."""

from fer_tune.serving.faces.auto import Found, Mode, faces_of, rule
from fer_tune.serving.faces.crop import crop_face
from fer_tune.serving.faces.interface import LANDMARKS, Detector, Face
from fer_tune.serving.faces.loading import Deferred, default_detector, load_detector

__all__ = [
    "LANDMARKS",
    "Deferred",
    "Detector",
    "Face",
    "Found",
    "Mode",
    "crop_face",
    "default_detector",
    "faces_of",
    "load_detector",
    "rule",
]
