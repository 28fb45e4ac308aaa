"""fer_tune: distributed hyperparameter search for facial expression recognition."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fer_tune.serving.predictor import Predictor

__version__ = "0.1.0"


def load_model(where: str, *, device: str | None = None, batch_size: int = 64) -> Predictor:
    """A trained model that predicts.

    Args:
        where: a model folder, a results folder (the arm with the better validation score), or the
            URL of either.
        device: ``cpu``, ``cuda`` or ``cuda:1``; by default an accelerator where there is one.
        batch_size: faces that go through the network at once.

    Raises:
        ModelError: no model there, or one that cannot be used.
        EnvironmentFault: there is no such device.

    Example::

        model = fer_tune.load_model("results/quickstart-20260101-120000")
        print(model.predict(["face.jpg"])[["picture", "expression", "probability"]])
    """
    from fer_tune.serving.finding import find_model  # torch takes seconds to import
    from fer_tune.serving.predictor import Predictor

    return Predictor(find_model(where), device=device, batch_size=batch_size)
