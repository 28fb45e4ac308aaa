"""What the report is estimated from: results folders as tidy frames."""
