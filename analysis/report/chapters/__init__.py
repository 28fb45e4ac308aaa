"""Chapters of the report: report.json in, blocks out; figures are drawn here as well."""
