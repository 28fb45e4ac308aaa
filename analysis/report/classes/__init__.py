"""Topic of the report: results by class."""
