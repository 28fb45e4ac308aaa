"""DeepFace (Sefik Serengil), its model of expressions; downloads the weights at first use.

The pictures are faces already, so that its detector is left out.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from deepface import DeepFace
from pictures import Model, write_predictions


def load() -> Model:
    DeepFace.build_model("Emotion", task="facial_attribute")

    def scores(picture: np.ndarray) -> Mapping[str, float]:
        found = DeepFace.analyze(
            picture[:, :, ::-1].copy(), actions=["emotion"], detector_backend="skip", silent=True
        )
        return {name: percent / 100 for name, percent in found[0]["emotion"].items()}

    return scores


if __name__ == "__main__":
    write_predictions(load, __doc__)
