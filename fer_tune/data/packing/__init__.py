"""From the pictures of an import to what is packed: depth, groups, the test split."""
