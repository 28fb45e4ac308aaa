"""Pictures in the rows of a CSV."""
