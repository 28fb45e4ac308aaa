"""Commands for trained models: `models`, `predict`, `evaluate`, `export`."""
