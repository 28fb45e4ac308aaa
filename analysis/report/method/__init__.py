"""Topic of the report: method and threats to validity."""
