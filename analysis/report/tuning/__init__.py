"""Topic of the report: tuning curves."""
