"""Topic of the report: disagreements between arms."""
