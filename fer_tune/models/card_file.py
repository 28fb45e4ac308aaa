"""The card of a kept model as a file; imports no torch, so that models are listed quickly.

::

    FOLDER/card.json  see :class:`fer_tune.models.card.Card`; written last
    FOLDER/card.md    the card for people
"""

from __future__ import annotations

import hashlib
import json

from pydantic import ValidationError

from fer_tune.errors import ModelError, reading
from fer_tune.models.card import SCHEMA_VERSION, Card
from fer_tune.models.card_text import card_markdown
from fer_tune.schema import InvalidJson, TooLarge, first_error, parse_json, read_at_most, shown
from fer_tune.schema.limits import CARD_BYTES
from fer_tune.storage import AnyPath, write_atomically

CARD, CARD_TEXT, WEIGHTS = "card.json", "card.md", "model.safetensors"

#: What to do about a model folder that cannot be used.
RESTORE = "Restore it from a backup, or train it again: fer-tune confirm RESULTS --keep-models"


def write_card(card: Card, folder: AnyPath, *, within: AnyPath | None = None) -> None:
    """Writes ``card.md`` and ``card.json``.

    Args:
        within: as of :func:`fer_tune.storage.write_atomically`.
    """
    write_atomically(folder / CARD_TEXT, card_markdown(card), within=within)
    text = json.dumps(card.model_dump(mode="json"), indent=2, ensure_ascii=False) + "\n"
    write_atomically(folder / CARD, text, within=within)


def is_model(folder: AnyPath) -> bool:
    """Whether a kept model is in the folder."""
    return (folder / CARD).is_file()


def read_card(folder: AnyPath) -> Card:
    """The card in a model folder.

    Raises:
        ModelError: no card, of another schema, or not valid.
    """
    where = folder / CARD
    with reading(where, ModelError):
        try:
            content = read_at_most(where, CARD_BYTES)
        except (FileNotFoundError, NotADirectoryError):
            raise ModelError(
                f"no {CARD} here, so this is not a model folder",
                where=str(folder),
                remedy="Use a folder RESULTS/models/ARM, or the results folder itself",
            ) from None
        except TooLarge as error:
            raise ModelError(f"is {error}", where=str(where), remedy=RESTORE) from None
    return parse_card(content, where)


def check_weights(content: bytes, card: Card, where: object) -> None:
    """Checks that ``content`` is the file of weights that a card describes.

    Raises:
        ModelError: its SHA-256 is another one.
    """
    found = hashlib.sha256(content).hexdigest()
    if found != card.sha256:
        raise ModelError(
            f"is damaged, or not the file that {CARD} describes: its SHA-256 should begin with "
            f"{card.sha256[:12]}",
            where=str(where),
            value=found[:12],
            remedy=RESTORE,
        )


def parse_card(content: bytes, where: object, *, remedy: str = RESTORE) -> Card:
    """A card from its JSON.

    Args:
        where: it was read from, for messages.
        remedy: for a card that cannot be used.

    Raises:
        ModelError: not JSON, of another schema, or not valid.
    """
    try:
        found = parse_json(content)
    except InvalidJson as error:
        raise ModelError(f"{error}", where=str(where), remedy=remedy) from None
    version = found.get("schema_version") if isinstance(found, dict) else None
    # True == 1, but is not a version.
    if type(version) is not int or version != SCHEMA_VERSION:
        newer = type(version) is int and version > SCHEMA_VERSION
        raise ModelError(
            f"the model card has schema version {shown(version)}, this version of fer-tune reads "
            f"{SCHEMA_VERSION}",
            where=str(where),
            remedy="Update fer-tune to read it" if newer else remedy,
        )
    try:
        return Card.model_validate(found)
    except ValidationError as error:
        rule, value = first_error(error)
        raise ModelError(rule, where=str(where), value=value, remedy=remedy) from None
