"""Clusters: checking their files; submitting, following and fetching searches."""
