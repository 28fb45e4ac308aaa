"""Topic of the report: the dataset and its audit."""
