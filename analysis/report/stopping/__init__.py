"""Topic of the report: early stopping."""
