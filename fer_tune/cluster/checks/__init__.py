"""Checks of a cluster file: all errors together, without access to a cloud.

`checking.check` is the entry point. Each other module holds the rules of one concern, as functions
that take a :class:`~fer_tune.yaml_reader.document.Document` and yield errors.
"""
