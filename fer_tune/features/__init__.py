"""The bank of frozen-prefix features and the sources that read from it."""

from fer_tune.features.bank import FeatureBank, bank_folder, entry_key
from fer_tune.features.source import CHUNK, FeatureProvider, FeatureSource

__all__ = ["CHUNK", "FeatureBank", "FeatureProvider", "FeatureSource", "bank_folder", "entry_key"]
