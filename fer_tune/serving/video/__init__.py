"""Videos: read, faces followed from frame to frame, annotated copies, timelines."""
