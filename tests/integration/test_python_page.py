"""docs/python.md, block after block, as a script of a user."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

PAGE = Path(__file__).parents[2] / "docs" / "python.md"

pytestmark = [pytest.mark.ray, pytest.mark.slow, pytest.mark.timeout(600)]


def test_its_blocks_run_one_after_the_other(tmp_path: Path) -> None:
    blocks = re.findall(r"^```python\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.M | re.S)
    assert len(blocks) == 6
    (tmp_path / "page.py").write_text("\n".join(blocks))
    ran = subprocess.run(
        [sys.executable, "page.py"],
        cwd=tmp_path,
        env={**os.environ, "FER_TUNE_BANK": str(tmp_path / "bank")},
        capture_output=True,
        text=True,
        check=False,
        timeout=500,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "['densenet121', 'resnet18']" in ran.stdout
    assert (tmp_path / "curves.png").stat().st_size > 1000
    assert (tmp_path / "results/small/report/report.html").is_file()
    assert "probability" in ran.stdout
    assert "Traceback" not in ran.stderr
