"""The state of a search: event log, manifest, single writer, checks before a resume."""
