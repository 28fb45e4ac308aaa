"""Connections to a cluster's head and its dashboard."""
