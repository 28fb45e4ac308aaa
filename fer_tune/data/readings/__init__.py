"""The ledger of test-split readings: who has read the labels of which test split, and how often."""

from fer_tune.data.readings.ledger import Reading, Readings, readings_of, record_reading
from fer_tune.data.readings.places import LEDGER, fingerprint_of_test

__all__ = ["LEDGER", "Reading", "Readings", "fingerprint_of_test", "readings_of", "record_reading"]
