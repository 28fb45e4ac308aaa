"""EmotiEffLib (Andrey Savchenko), EfficientNet-B0 trained on AffectNet, on ONNX Runtime.

Downloads the weights at first use. It takes faces and has no detector.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from emotiefflib.facial_analysis import EmotiEffLibRecognizer
from pictures import Model, write_predictions


def load() -> Model:
    model = EmotiEffLibRecognizer(engine="onnx", model_name="enet_b0_8_best_afew", device="cpu")
    names = [name for _, name in sorted(model.idx_to_emotion_class.items())]

    def scores(picture: np.ndarray) -> Mapping[str, float]:
        _, found = model.predict_emotions(picture, logits=False)
        return dict(zip(names, np.asarray(found)[0].tolist(), strict=True))

    return scores


if __name__ == "__main__":
    write_predictions(load, __doc__)
