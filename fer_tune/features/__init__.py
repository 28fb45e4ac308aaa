"""The bank of frozen-prefix features and the sources that read from it."""
