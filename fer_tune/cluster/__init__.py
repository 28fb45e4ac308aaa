"""Cluster files: the ones that ship, and what is wrong with anybody's."""
