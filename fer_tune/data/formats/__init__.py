"""Known data sets, one module each, and how a source is understood."""
