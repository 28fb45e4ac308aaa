"""Commands that answer before a search is paid for."""
