"""The example in docs/export.md, which runs an ONNX file without fer_tune."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from fer_tune.serving.export.graph import Variant
from fer_tune.serving.export.onnx_file import to_onnx
from fer_tune.serving.predictor import Predictor
from tests.serving.export.tiny import tiny_model

for module in ("onnx", "onnxscript", "onnxruntime"):
    pytest.importorskip(module, reason="ONNX files need the extra onnx")

PAGE = Path(__file__).resolve().parents[3] / "docs" / "export.md"


@pytest.mark.parametrize("variant", ["outside", "inside"])
@pytest.mark.parametrize("channels", [1, 3])
def test_the_example_predicts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variant: Variant, channels: int
) -> None:
    found = re.search(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), flags=re.S)
    assert found and "fer_tune." in found[1] and "import fer_tune" not in found[1]
    kept = tiny_model(channels)
    (tmp_path / "face.onnx").write_bytes(to_onnx(kept, variant))
    monkeypatch.chdir(tmp_path)
    for size in ((60, 44), (700, 1100)):  # the other is larger than max_side
        pixels = np.random.default_rng(0).integers(0, 256, (*size, channels), dtype=np.uint8)
        Image.fromarray(pixels[:, :, 0] if channels == 1 else pixels).save(tmp_path / "face.png")
        names: dict[str, object] = {}
        exec(compile(found[1], str(PAGE), "exec"), names)
        given = names["pictures"]
        assert isinstance(given, np.ndarray)
        assert max(given.shape) <= kept.card.preprocessing.max_side
        wanted = Predictor(kept, device="cpu").probabilities([pixels])[0]
        # Pillow rounds after each of its two passes: a grey level here and there.
        np.testing.assert_allclose(names["probabilities"], wanted, atol=5e-3)
