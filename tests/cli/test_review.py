"""The page of near copies, and the list that it saves."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fer_tune.data import PackedDataset, audit, import_source
from fer_tune.data.copies.excluding import read_list
from fer_tune.errors import DataError
from tests.command_line import Run


@pytest.fixture
def source(faces: PackedDataset, tmp_path: Path) -> Path:
    """Eight drawn faces in training, four of them mirrored in test; a name with HTML in it."""
    root = tmp_path / "source"
    firsts = [n for n in np.unique(faces.groups, return_index=True)[1] if faces.deviations[n] > 5]
    for n, place in enumerate(firsts[:8]):
        pixels = faces.picture(int(place))[:, :, 0]
        label = ("happy", "sad")[n % 2]
        targets = [(f"train/{label}/<b>{n}.png", pixels)]
        if n < 4:
            targets.append((f"test/{label}/{n}.png", pixels[:, ::-1]))
        for name, content in targets:
            (root / name).parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(content).save(root / name)
    return root


def test_a_reviewed_list_is_left_out_of_an_import(run: Run, source: Path, tmp_path: Path) -> None:
    packed, page = tmp_path / "packed", tmp_path / "page.html"
    import_source(str(source), packed)
    code, out, _ = run("data", "review", packed, "--out", page)
    assert code == 0 and "4 of 4 pairs" in out
    text = page.read_text()
    assert text.count('src="data:image/png;base64,') == 8
    assert not re.search(r'(src|href)="(?!data:)', text), "the page is self-contained"
    assert "<b>0.png" not in text and "&lt;b&gt;0.png" in text
    marked = re.findall(r'data-picture="([0-9a-f]{64})"[^>]* checked', text)
    assert len(marked) == 4, "the training pictures, as the others are in test"

    listed = tmp_path / "exclude.csv"
    lines = ["# near copies", "picture,origin", *(f'{one},"x, y"' for one in marked), ""]
    listed.write_text("\n".join(lines))
    clean = tmp_path / "clean"
    code, out, _ = run("data", "import", source, "--out", clean, "--exclude", listed)
    assert code == 0 and "left out by --exclude: 4 pictures" in out
    found = audit(PackedDataset.open(clean))
    assert found.pictures == 8 and found.near_groups == 0


@pytest.mark.parametrize(
    ("text", "message"),
    [("", "lists no picture"), ("happy/1.png\n", "line 1.*not a content hash"), (None, "No such")],
)
def test_a_list_that_is_none_is_refused(text: str | None, message: str, tmp_path: Path) -> None:
    path = tmp_path / "list.csv"
    if text is not None:
        path.write_text(text)
    with pytest.raises(DataError) as caught:
        read_list(path)
    assert re.search(message, str(caught.value).replace("\n", " ")) or message in str(caught.value)
