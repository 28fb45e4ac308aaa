"""The bank of frozen-prefix features and the sources that read from it."""

from fer_tune.features.bank import FeatureBank, bank_folder, entry_key
from fer_tune.features.memory import MemoryFit, OutOfMemory, is_out_of_memory, parts
from fer_tune.features.source import CHUNK, FeatureProvider, FeatureSource

__all__ = [
    "CHUNK",
    "FeatureBank",
    "FeatureProvider",
    "FeatureSource",
    "MemoryFit",
    "OutOfMemory",
    "bank_folder",
    "entry_key",
    "is_out_of_memory",
    "parts",
]
