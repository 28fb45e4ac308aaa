"""Estimators over test pictures and classes."""
