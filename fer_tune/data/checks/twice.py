"""One class under several names: in other spelling, as a plural, as a copy, in other words."""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

from fer_tune.data.checks.words import EXPRESSION_WORDS, plain, words_of

#: What desktops and people add to the name of a second folder of one class.
_ADDED = words_of(
    "copy|copies|kopie|copie|copia|副本|backup|bak|old|new|aug|augmented|augmentation|flip|flipped|"
    "mirrored"
)
_COPY_OF = re.compile(r"(?<!\w)(copy of|copie de|copia de|kopie von) |(?<!\s)\s*\(\d+\)$")
#: Least similarity (``difflib``) of a misspelt word, and the shortest that is compared.
_MISSPELT, _SHORTEST = 0.85, 5
#: So many first letters make two words for one expression forms of one word.
_STEM = 4


def same_class(names: Sequence[str]) -> list[tuple[str, str]]:
    """Pairs of names that are probably one class, the better one second."""
    by_key: dict[str, list[str]] = defaultdict(list)
    as_written = {_key(name) for name in names}
    for name in names:
        # "old" may be a copy's, or that of old and young.
        without = _key(name, added=False)
        if key := without if without in as_written else _key(name):
            by_key[key].append(name)
    pairs = [
        (name, best)
        for group in by_key.values()
        if len(group) > 1
        for best in [min(group, key=lambda one: (plain(one) not in EXPRESSION_WORDS, len(one)))]
        for name in group
        if name != best
    ]
    known = [name for name in names if plain(name) in EXPRESSION_WORDS]
    return list(dict.fromkeys([*pairs, *_misspelt(names, known), *_forms(known)]))


def synonyms(names: Iterable[str]) -> list[tuple[str, ...]]:
    """Names that are words for one expression, such as ``sad`` and ``triste``."""
    groups: dict[str, list[str]] = defaultdict(list)
    for name in names:
        if (expression := EXPRESSION_WORDS.get(plain(name))) is not None:
            groups[expression].append(name)
    return [tuple(group) for group in groups.values() if len(group) > 1]


def _key(name: str, *, added: bool = True) -> str:
    """What remains of a name without accents, separators and a plural.

    Args:
        added: what is added to the names of copies remains, too.
    """
    text = plain(name).replace("ı", "i")
    if not added:
        text = _COPY_OF.sub("", text)
    apart = unicodedata.normalize("NFKD", text)
    bare = "".join(c for c in apart if not unicodedata.combining(c))
    if not any(c.isalpha() for c in bare):
        return str(int(bare)) if bare.strip().isdecimal() else ""
    # A hyphen is a separator between words, and a sign before and behind them.
    words = re.split(
        r"\s+|(?<=\w)-(?=\w)", "".join(c if _is_meant(c) else " " for c in bare).strip()
    )
    last = len(words) - 1
    joined = "".join(
        word
        for n, word in enumerate(words)
        if (word.strip("-") or n == last) and (added or word not in _ADDED)
    )
    # An s alone: glasses and glass are two things.
    return joined.removesuffix("s") if len(joined) > 3 and joined.isascii() else joined


def _is_meant(character: str) -> bool:
    """Whether a character makes another name: ``c`` is not ``c++``, nor ``<5`` what ``>5`` is."""
    return (
        character.isalnum()
        or character in "#-"
        or unicodedata.category(character) in ("Mc", "Mn", "Sm", "So")
    )


def _misspelt(names: Sequence[str], known: Sequence[str]) -> Iterator[tuple[str, str]]:
    for name in names:
        word = plain(name)
        if word in EXPRESSION_WORDS or len(word) < _SHORTEST or not word.isalpha():
            continue
        for right in known:
            other = plain(right)
            if word[0] != other[0] or len(other) < _SHORTEST:
                continue
            if difflib.SequenceMatcher(None, word, other).ratio() >= _MISSPELT:
                yield name, right


def _forms(known: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Words for one expression that begin alike, such as ``contempt`` and ``contemptuous``."""
    for group in synonyms(known):
        shortest = min(group, key=len)
        stem = plain(shortest)[:_STEM]
        for name in group:
            if name != shortest and len(stem) == _STEM and plain(name).startswith(stem):
                yield name, shortest
