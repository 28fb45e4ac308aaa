"""Comparison of every pair of arms: estimates, verdict and its wording."""
