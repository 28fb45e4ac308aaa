"""Outputs besides the report: terminal summaries, interactive plots, comparisons."""
