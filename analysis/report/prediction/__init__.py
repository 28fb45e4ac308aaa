"""Topic of the report: prediction and outcome."""
