"""Clusters: their files, and what is wrong with them; searches sent there, watched and fetched."""
