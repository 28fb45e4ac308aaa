"""Topic of the report: logistic regression on frozen features."""
