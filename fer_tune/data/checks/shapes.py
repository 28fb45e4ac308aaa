"""Shapes of names that number people, recordings or moments, and those that number classes."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

from fer_tune.data.checks.categories import MONTHS
from fer_tune.data.checks.words import (
    CODES,
    EXPRESSION_WORDS,
    LABEL,
    PERSON,
    RECORDING,
    letters,
    plain,
    tokens,
    words_of,
)

_DAY = r"(0[1-9]|[12]\d|3[01])"
_MONTH = r"(0[1-9]|1[0-2])"
_MOMENT = re.compile(
    rf"(?<!\d)(19|20)\d\d([-_. ]?){_MONTH}\2{_DAY}(?!\d)"  # 2021-03-04, 20210304
    rf"|(?<!\d)(19|20)\d\d{_MONTH}{_DAY}([01]\d|2[0-3])[0-5]\d([0-5]\d)?(?!\d)"  # with hours
    rf"|(?<!\d){_DAY}[-_.]{_MONTH}[-_.](19|20)\d\d(?!\d)"
    r"|(?<!\d)([01]?\d|2[0-3])[-:_.h][0-5]\d[-:_.m][0-5]\ds?(?!\d)"  # 12-30-55
    r"|^([01]?\d|2[0-3])h[0-5]\d$"  # 10h30
    r"|^1\d{9}(\d{3})?$"  # seconds or milliseconds since 1970
)
#: Letters that accompany the day of a month: 1st, 2nd.
_ORDINALS = frozenset({"st", "nd", "rd", "th"})
_HEXADECIMAL = re.compile(
    r"(?=.*\d)(?=.*[a-f])[0-9a-f]{8,}"
    r"|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
    r"|[0-9a-f]{2}([-:_][0-9a-f]{2}){5}"  # the address of a device
)
#: Two numbers or more and nothing else: 10-19, 192.168.0.11, but not 1.0.
_NUMBERS = re.compile(r"(?!\d\.0$)[\W_]*\d+([\s._:~+,/-]+\d+)+[\W_]*")
#: Folders of cameras: 100CANON.
_OF_CAMERA = re.compile(r"[1-9]\d\d[A-Z_][A-Z_0-9]{4}")
_CODE = re.compile(r"([a-z]{1,3})[-_ ]?(\d++)(?:[-_ ]?[a-z]?\d*)?")
#: An id of eleven letters, digits and signs has seven runs of one kind on average.
_RUNS_OF_IDS = 6
#: An id of at least so many characters changes so often between letters and digits.
_ID_LENGTH, _CHANGES_OF_IDS = 8, 4
#: Letters before the number of a class: c0 to c9, e1 to e7.
_LABEL_LETTERS = frozenset("cekl")
#: Numbers of classes that every split has begin below this, and reach so many times their count.
_FIRST, _SPREAD = 10, 10
#: So many numbers without zeros in front may be classes of one letter or word: c0 to c19.
_FEW = 20


def is_moment(name: str) -> bool:
    """Whether a name holds a date or a time."""
    words = letters(name)
    with_month = _has_number(name) and any(word in MONTHS for word in words)
    if with_month and all(word in MONTHS or word in _ORDINALS for word in words):
        return True
    return _MOMENT.search(name.strip()) is not None


def is_numbers(name: str) -> bool:
    """Whether a name is a range, a version or an address of numbers: ``10-19``, ``192.168.0.1``."""
    return _NUMBERS.fullmatch(name.strip()) is not None


def is_random(name: str) -> bool:
    """Whether a name is a hash, or an id as of a video."""
    text = name.strip()
    if _HEXADECIMAL.fullmatch(text.casefold()) and not text.isdecimal():
        return True
    parts = re.split(r"[\W_]+", text)
    if any(_HEXADECIMAL.fullmatch(part.casefold()) for part in parts if not part.isdecimal()):
        return True
    changes = len(re.findall(r"\d(?=[^\W\d_])|[^\W\d_](?=\d)", text))
    if text.isalnum() and len(text) >= _ID_LENGTH and changes >= _CHANGES_OF_IDS:
        return True
    # Words with a number have few changes between digits, small and capital letters.
    text = re.sub(r"^\d+[ ._-]+", "", text)  # of a numbered word
    runs = re.findall(r"\d+|[a-z]+|[A-Z]+|[_-]+", text)
    return len(text) == 11 and "".join(runs) == text and len(runs) >= _RUNS_OF_IDS


def is_recording(name: str) -> bool:
    """Whether a name numbers a recording or a part of one: ``seq_01``, ``Clip 3``."""
    words = letters(name)
    if plain(" ".join(words)) in {word for word in RECORDING if " " in word}:
        return True
    if _OF_CAMERA.fullmatch(name.strip()):
        return True
    return (
        _is_numbered(name)
        and any(word in RECORDING for word in words)
        and all(word in RECORDING or len(word) == 1 for word in words)
    )


def is_person(name: str) -> bool:
    """Whether a name numbers a person: ``subject12``, ``S005_001``, ``person A``."""
    words = letters(name)
    named = [word for word in words if word in PERSON]
    if not named or not _is_numbered(name):
        return False
    # One letter is short for a person before a number: s1, not the 90s.
    before = rf"(?<![^\W_])[{''.join(named)}][\W_]*\d"
    short = all(len(word) == 1 and word.isascii() for word in named)
    if short and re.search(before, plain(name)) is None:
        return False
    return all(word in PERSON or word in RECORDING or len(word) == 1 for word in words)


def _has_number(name: str) -> bool:
    return any(token.isdecimal() for token in tokens(name))


def _is_numbered(name: str) -> bool:
    """Whether it has a number, or one letter in its place."""
    parts = tokens(name)
    return _has_number(name) or (len(parts) > 1 and len(parts[-1]) == 1 and parts[-1].isascii())


def numbers_people(names: Collection[str]) -> bool:
    """Whether names are letters and numbers as of people or recordings: ``AF01``, ``XY017``.

    Numbers with zeros in front, in a row, or many of them after the same letters. Numbers after a
    word for classes (``AU01``, ``class 01``), and WordNet's ids, are classes.
    """
    found = [parts for name in names if (parts := _code(name)) is not None]
    if not found or 2 * len(found) < len(names):
        return False
    prefixes = {prefix for prefix, _ in found}
    padded = any(len(number) > 1 and number.startswith("0") for _, number in found)
    if padded and (
        max(map(len, prefixes)) < 4 or len(found) == 1 or 2 * len(prefixes) <= len(found)
    ):
        return True
    if len(found) > _FEW and 5 * len(prefixes) <= len(found):
        return True
    values = [int(number) for _, number in found]
    in_a_row = max(values) - min(values) < 1.5 * len(values)
    return len(values) > 1 and min(values) > 9 and in_a_row and 2 * len(prefixes) <= len(values)


def _code(name: str) -> tuple[str, str] | None:
    """Letters and number of a name that could be a person's or a recording's."""
    text = plain(name).strip()
    words = letters(text)
    if any(word in LABEL for word in words) or re.fullmatch(r"n\d{8}.*", text):
        return None
    match = _CODE.fullmatch(text)
    if match is not None:
        prefix, number = match.groups()
        return None if prefix in _LABEL_LETTERS and len(number) < 3 else (prefix, number)
    if match := re.fullmatch(r"(0\d+|\d{3})[-_ ]?([a-z]{1,2})", text):
        return match[2], match[1]
    long = re.fullmatch(r"([^\W\d_]{4,})[-_ ]?(\d{2,})([-_ ]\d+)*", text)
    # Two digits after a longer word may be anything, unless they are numbered through.
    return (long[1], long[2]) if long and (len(long[2]) > 2 or long[2][0] == "0") else None


def numbers_classes(names: Sequence[str], *, shared: bool) -> bool:
    """Whether names that are numbers alone are labels, such as 0 to 6, rather than sequences.

    Args:
        shared: all of them are in every split, as classes are and people are not.
    """
    values, widths = sorted({int(name) for name in names}), {len(name.strip()) for name in names}
    if values[0] >= 1900 and values[-1] <= 2100:
        return False
    # People may be in every split, too: their numbers begin and jump anywhere.
    shared = shared and values[0] < _FIRST and values[-1] < _SPREAD * len(values)
    padded = any(len(name.strip()) > 1 and name.strip().startswith("0") for name in names)
    in_a_row = values[0] in (0, 1) and values[-1] - values[0] < 1.5 * len(values) + 1
    if padded:
        return in_a_row and (shared or (max(widths) == 2 and len(values) <= _FEW))
    # Coins, notes and angles are numbers, too.
    round_ones = len(values) <= _FEW and all(v % 5 == 0 or v in (1, 2) for v in values)
    return in_a_row or shared or round_ones


def are_initials(names: Sequence[str]) -> bool:
    """Whether all names are two or three letters that are no word, as the initials of people.

    A number may follow. Letters alone may be classes, as those of sign language; so may the codes
    of expressions, and a few abbreviations without dots.
    """
    if any(word in LABEL for name in names for word in letters(name)):
        return False
    stripped = [re.sub(r"[\s._-]|\d+$", "", name) for name in names]
    short = [text for text in stripped if re.fullmatch("[A-Za-z]{2,3}", text)]
    dotted = all(re.search(r"[A-Za-z]\.", name) for name in names)
    if len(names) < (2 if dotted else _INITIALS) or len(short) < len(names):
        return False
    certain = [
        text
        for text in short
        if not (_is_code(text) or plain(text) in _SHORT_WORDS or _vowel(text))
    ]
    return 2 * len(certain) >= len(names) and len(set(stripped)) > 1


#: Fewest names without dots that are taken for initials.
_INITIALS = 5
#: English words of two letters; those of three have a vowel in their middle.
_SHORT_WORDS = words_of("am|an|at|be|by|do|go|he|hi|in|is|it|me|my|no|of|on|or|ok|up|us|we")


def _is_code(text: str) -> bool:
    """Whether letters begin the word for an expression: HA, SAD, neu."""
    return plain(text) in CODES or any(
        word.startswith(plain(text)) for word in EXPRESSION_WORDS if word.isascii()
    )


def _vowel(text: str) -> bool:
    """Whether letters can be spoken, unless they are two capitals."""
    return (
        not (len(text) == 2 and text.isupper()) and re.search("[aeiouy]", plain(text)) is not None
    )
