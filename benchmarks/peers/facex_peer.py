"""`facex` (version 1.1), a network on TensorFlow Lite; its weights are in the wheel.

The pictures are faces already, so that its detector is left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import facex.core
import numpy as np
from pictures import Model, write_predictions


def load() -> Model:
    assets = Path(facex.core.__file__).parent / "assets"
    model = facex.core.EmotionClassifier(str(assets / "model_optimized.tflite"))

    def scores(picture: np.ndarray) -> Mapping[str, float]:
        return model.detect_emotion(model._preprocess_frame(picture[:, :, ::-1].copy()))

    return scores


if __name__ == "__main__":
    write_predictions(load, __doc__)
