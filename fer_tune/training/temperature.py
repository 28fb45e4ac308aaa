"""Temperature scaling: calibrated probabilities.

Source: Guo, Pleiss, Sun and Weinberger, "On Calibration of Modern Neural Networks" (2017),
section 4.2: logits z become softmax(z / T), with the T that minimises the negative log-likelihood
of held-out pictures. T does not change which class is the most probable.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray
from scipy import special
from scipy.optimize import minimize_scalar

#: Temperatures that are tried: a split on which a network is never wrong would drive T to 0.
LOWEST, HIGHEST = 0.05, 20.0


def fit_temperature(logits: NDArray[np.float32], labels: NDArray[np.int64]) -> float:
    """The temperature T of ``logits`` (n, classes) with true classes ``labels`` (n,), above 0."""
    z = logits.astype(np.float64)
    true = z[np.arange(len(z)), labels]

    def loss(log_temperature: float) -> float:
        inverse = math.exp(-log_temperature)
        return float(np.mean(special.logsumexp(z * inverse, axis=1) - true * inverse))

    found = minimize_scalar(
        loss,
        bounds=(math.log(LOWEST), math.log(HIGHEST)),
        method="bounded",
        options={"xatol": 1e-6},
    )
    return math.exp(float(found.x))


def softmax(logits: NDArray[np.float32], temperature: float) -> NDArray[np.float32]:
    """Calibrated probabilities softmax(z / T) of ``logits`` (n, classes), computed in float64."""
    found: NDArray[np.float32] = special.softmax(
        logits.astype(np.float64) / temperature, axis=1
    ).astype(np.float32)
    return found
