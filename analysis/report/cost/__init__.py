"""Topic of the report: cost of the search."""
