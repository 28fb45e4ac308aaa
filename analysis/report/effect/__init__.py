"""Topic of the report: effect size."""
