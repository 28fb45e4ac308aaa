"""The files of a source: in a folder or in archives, listed first and read later."""
