"""Files that runs need: caches on this machine and on every node."""
