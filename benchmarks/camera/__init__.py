"""The page of `fer-tune camera` in Chromium, measured: `python -m benchmarks.camera`."""
