"""YAML from untrusted sources: read in bounded time and memory, with positions.

`bounded` turns text into nodes, within limits; `core_schema` and PyYAML's own rules turn nodes into
values; `document` knows the position of every value. Neither torch nor Ray.
"""
