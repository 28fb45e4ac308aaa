"""Searches as jobs of a cluster: packaged, submitted, watched, downloaded."""
