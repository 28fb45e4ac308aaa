"""Classes, splits and groups of the pictures in a tree of files."""

from __future__ import annotations

from fer_tune.data.files.tree import Tree
from fer_tune.data.labels.class_folders import list_class_folders
from fer_tune.data.listing import Listing, Reading

__all__ = ["list_tree"]


def list_tree(tree: Tree, reading: Reading) -> Listing:
    """Lists the pictures of a tree by the first kind of label that it has."""
    return list_class_folders(tree, reading)
