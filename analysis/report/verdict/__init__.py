"""Topic of the report: search, verdict and validity on the first screen."""
