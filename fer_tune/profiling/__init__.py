"""How many trials should share a GPU: measured before a search, from a few steps of each kind."""
