"""Estimators over trials of a search."""
