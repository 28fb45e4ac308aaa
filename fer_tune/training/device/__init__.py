"""The device that a run trains on: precision, its share of a GPU, memory."""
