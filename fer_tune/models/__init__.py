"""Backbones, their stages, the cut into prefix and tail, and where weights come from."""
