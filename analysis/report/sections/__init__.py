"""Sections of report.json: records in, quantities out, a module per chapter."""
