"""A cheap baseline: logistic regression on the frozen features of each arm and crop size."""
