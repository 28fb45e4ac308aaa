"""A synthetic dataset of drawn faces with six expressions, for machines without real pictures.

The cues (mouth, brows, eyes) are local shapes that survive at 48 pixels, while position, turn,
size, light and tones vary so much that no single pixel means much: a convolutional network learns
the set from about a thousand pictures, a linear model on pixels gets two in five right. Like real
sets it holds a few exact copies, some across splits, some with other labels, and one blank.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from functools import partial

import numpy as np
from numpy.typing import NDArray

from fer_tune.data.drawn_face import EXPRESSIONS, Expression, Sitter, draw_face

CLASSES = tuple(sorted(EXPRESSIONS))
TEST_SHARE = 0.2
COPY_SHARE = 0.01
#: From this many pictures on the set holds one blank picture.
BLANK_FROM = 500
#: Every class has between 1 - IMBALANCE and 1 + IMBALANCE of an equal share.
IMBALANCE = 0.15


@dataclass(frozen=True, kw_only=True)
class _Plan:
    """Label and split of every picture, and which pictures are copies or blank."""

    labels: NDArray[np.int64]
    test: NDArray[np.bool_]
    source: NDArray[np.int64]
    blank: int | None


def generate(count: int, seed: int) -> Iterator[tuple[NDArray[np.uint8], str, str]]:
    """Draws ``count`` faces, the same ones for the same ``count`` and ``seed``.

    Yields:
        Pixels (side, side, 1), mostly 48 x 48 and otherwise 40 to 64; the class, one of
        ``CLASSES``; and the split, ``train`` (four fifths) or ``test``.
    """
    for draw, label, split in planned(count, seed):
        yield draw(), label, split


def planned(count: int, seed: int) -> Iterator[tuple[Callable[[], NDArray[np.uint8]], str, str]]:
    """The same faces as :func:`generate`, each as a function that draws it."""
    assert count >= 1, f"count must be positive, not {count}"
    plan = _plan(count, np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(0,))))
    for position in range(count):
        origin = int(plan.source[position])
        split = "test" if plan.test[position] else "train"
        if origin == plan.blank:
            yield _blank, CLASSES[plan.labels[position]], split
        else:
            draw = partial(_drawn, CLASSES[plan.labels[origin]], seed, origin)
            yield draw, CLASSES[plan.labels[position]], split


def _blank() -> NDArray[np.uint8]:
    return np.full((48, 48, 1), 128, dtype=np.uint8)


def _drawn(name: str, seed: int, origin: int) -> NDArray[np.uint8]:
    return _picture(name, np.random.default_rng(np.random.SeedSequence([seed, origin])))


def _plan(count: int, generator: np.random.Generator) -> _Plan:
    shares = generator.uniform(1 - IMBALANCE, 1 + IMBALANCE, len(CLASSES))
    bounds = np.round(count * np.cumsum(shares) / shares.sum()).astype(np.int64)
    labels = np.searchsorted(bounds, np.arange(count), side="right")
    labels = generator.permutation(labels)
    order = generator.permutation(count)
    test = np.zeros(count, dtype=np.bool_)
    test[order[: round(TEST_SHARE * count)]] = True
    source = np.arange(count)
    trained = order[~test[order]]
    tested = order[test[order]]
    copies = round(COPY_SHARE * count)
    for number in range(copies):
        origin = trained[number]
        copy = tested[number] if number % 3 == 0 else trained[-1 - number]
        source[copy] = origin
        conflicting = number % 5 == 1
        labels[copy] = (labels[origin] + (1 if conflicting else 0)) % len(CLASSES)
    blank = int(trained[copies]) if count >= BLANK_FROM else None
    return _Plan(labels=labels, test=test, source=source, blank=blank)


def _picture(name: str, generator: np.random.Generator) -> NDArray[np.uint8]:
    side = 48 if generator.random() < 0.75 else int(generator.integers(40, 65))
    tones = draw_face(_performance(name, generator), _sitter(generator), side)
    tones = _developed(tones, generator)
    return np.round(255 * tones).astype(np.uint8)[:, :, None]


def _performance(name: str, generator: np.random.Generator) -> Expression:
    """How strongly and how exactly a sitter shows the expression; a few hardly do."""
    strength = generator.uniform(0.7, 1.15) if generator.random() < 0.92 else 0.35
    shown = EXPRESSIONS["neutral"].towards(EXPRESSIONS[name], strength)
    floors = {"mouth_open": 0.0, "mouth_width": 0.3, "eye_open": 0.08, "teeth": 0.0}
    values = {
        field.name: max(
            getattr(shown, field.name) + generator.normal(0, 0.025),
            floors.get(field.name, -1.0),
        )
        for field in fields(shown)
    }
    return Expression(**values)


def _sitter(generator: np.random.Generator) -> Sitter:
    uniform = generator.uniform
    skin = uniform(0.40, 0.95)
    return Sitter(
        shift=(uniform(-0.14, 0.14), uniform(-0.14, 0.14)),
        turn=np.deg2rad(np.clip(generator.normal(0, 13), -30, 30)),
        scale=uniform(0.30, 0.42),
        yaw=uniform(-1, 1),
        proportions=(uniform(1.12, 1.34), uniform(0.62, 0.9), uniform(0.38, 0.46)),
        skin=skin,
        hair=uniform(0.02, 0.9),
        backdrop=uniform(0, 1),
        ink=uniform(0.0, 0.25) * skin,
        hair_length=0.0 if generator.random() < 0.15 else uniform(0.1, 1.0),
        stroke=uniform(0.11, 0.16),
        glasses=bool(generator.random() < 0.12),
        light=uniform(0, 2 * np.pi),
        light_strength=uniform(0, 0.6),
        blotches=(uniform(), uniform(), uniform(), uniform()),
    )


def _developed(tones: NDArray[np.float64], generator: np.random.Generator) -> NDArray[np.float64]:
    """Contrast, brightness and grain of the print."""
    contrast, brightness = generator.uniform(0.7, 1.15), generator.uniform(-0.12, 0.12)
    tones = 0.5 + contrast * (tones - 0.5) + brightness
    grain = generator.normal(0, generator.uniform(0.01, 0.04), tones.shape)
    return np.clip(tones + grain, 0, 1)
