"""Names of splits and classes in folders and columns, mapped to one vocabulary."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from fer_tune.data.checks.split_names import PUBLIC_TEST, split_word, usual_split
from fer_tune.data.checks.text import one_form
from fer_tune.errors import DataError

#: Where FER2013's PublicTest pictures go.
PublicTest = Literal["test", "validation"]

SPLITS = ("train", "validation", "test")

#: FER2013's labels 0 to 6 (Goodfellow et al. 2013, "Challenges in representation learning").
FER2013_CLASSES = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")

_CLASS_NAMES = {
    "anger": "angry",
    "disgusted": "disgust",
    "fearful": "fear",
    "happiness": "happy",
    "sadness": "sad",
    "suprise": "surprise",  # misspelt in the Kaggle set of 35,340 pictures
    "suprised": "surprise",
    "surprised": "surprise",
}

EXPRESSIONS = frozenset({*FER2013_CLASSES, "contempt"})


def split_name(text: str, public_test: PublicTest = "test") -> str | None:
    """The split that ``text`` names, without regard to case and separators, or None.

    Also beside ``set``, ``data``, ``images`` and the like: ``training_set``, ``FER2013Train``.
    """
    return public_test if split_word(text) == PUBLIC_TEST else usual_split(text)


def class_name(text: str) -> str:
    """The class that ``text`` names: lower case, one Unicode form, usual variants merged."""
    key = one_form(one_form(text).strip().casefold())
    return _CLASS_NAMES.get(key, key)


def class_names(selected: Iterable[str]) -> tuple[str, ...]:
    """Selected classes, in order.

    Raises:
        DataError: fewer than two, an empty one, or the same one twice.
    """
    names = tuple(class_name(name) for name in selected)
    if len(names) < 2 or "" in names or len(set(names)) < len(names):
        raise DataError(
            "must be two or more different class names",
            where="--classes",
            value=", ".join(names),
            remedy="For example --classes angry,fear,happy,neutral,sad,surprise",
        )
    return names
