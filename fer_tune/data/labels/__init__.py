"""Classes, splits and groups of the pictures in a tree of files."""
