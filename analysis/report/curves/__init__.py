"""Topic of the report: learning curves and overfitting."""
