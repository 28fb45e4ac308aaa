"""What lies outside a results folder and must stay as it is."""

from __future__ import annotations

from pathlib import Path


class Outside:
    """A folder with a file, a part of a table and a figure in it, for links to point to."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.file = folder / "bashrc"
        self._contents = {
            "bashrc": "export A=1\nno end of line",
            "keep.parquet": "a part",
            "inner/figures/forest.svg": "a figure",
            "inner/report.md": "![forest](figures/forest.svg) ![old](figures/old.svg)",
            "figures/old.svg": "mine",
        }
        for name, text in self._contents.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(text)

    def check(self) -> None:
        """Raises AssertionError unless everything is as it was, and nothing was added."""
        found = {
            path.relative_to(self.folder).as_posix(): path.read_text()
            for path in self.folder.rglob("*")
            if path.is_file()
        }
        assert found == self._contents
