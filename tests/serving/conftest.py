from __future__ import annotations

import pytest

from fer_tune.data import PackedDataset
from tests.serving.trained import Trained, train_and_keep
from tests.training.conftest import make  # noqa: F401


@pytest.fixture(scope="session")
def trained(faces: PackedDataset, tmp_path_factory: pytest.TempPathFactory) -> Trained:
    """A small model trained on the drawn faces."""
    return train_and_keep(faces, tmp_path_factory.mktemp("kept") / "resnet18")
