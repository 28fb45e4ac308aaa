"""Topic of the report: fairness of the search."""
