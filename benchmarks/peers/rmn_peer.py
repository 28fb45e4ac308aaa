"""`rmn` (Luan Pham), the residual masking network trained on FER2013.

Downloads the weights when it is imported. The pictures are faces already, so that its detector is
left out.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from pictures import Model, write_predictions


def load() -> Model:
    from rmn import RMN

    model = RMN(face_detector=False)

    def scores(picture: np.ndarray) -> Mapping[str, float]:
        _, _, found = model.detect_emotion_for_single_face_image(picture[:, :, ::-1].copy())
        return {name: share for one in found for name, share in one.items()}

    return scores


if __name__ == "__main__":
    write_predictions(load, __doc__)
