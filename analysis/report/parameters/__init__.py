"""Topic of the report: hyperparameters."""
