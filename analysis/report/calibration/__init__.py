"""Topic of the report: calibration of the predicted probabilities."""
