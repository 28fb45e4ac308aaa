"""Names of classes that are something else: splits, people, recordings, garbled text."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePosixPath

from fer_tune.data.checks import shapes
from fer_tune.data.checks.categories import category
from fer_tune.data.checks.first_names import CHINESE_FAMILIES, FIRST_NAMES
from fer_tune.data.checks.split_names import named_splits, resembling_splits, usual_split
from fer_tune.data.checks.text import looks_garbled
from fer_tune.data.checks.twice import same_class
from fer_tune.data.checks.words import (
    CODES,
    EXPRESSION_WORDS,
    LABEL,
    expression_in,
    letters,
    long_code,
    plain,
    tokens,
    words_of,
)

#: Folders of one data set that hold the same pictures in other versions.
_VERSIONS = words_of(
    "aligned|original|originals|orig|cropped|uncropped|raw|resized|processed|preprocessed|"
    "unaligned|unprocessed|normalized|normalised|images|imgs|pictures|photos|annotations|labels|"
    "emolabel|landmarks|masks|thumbnails|gray|grey|grayscale|greyscale|rgb|color|colour|jpg|jpeg|"
    "png|bmp|tiff|augmented|aug|flipped|mirrored|lowres|highres|lr|hr"
)
#: A size in pixels, which is a version, too.
_SIZE = re.compile(r"\d+\s*[x×]\s*\d+|\d+\s*px")
#: Enough classes to say that one picture in each is no accident.
_MANY = 10


@dataclass(frozen=True, kw_only=True)
class ClassFolder:
    """What would become one class.

    Attributes:
        name: of the class as the source has it.
        paths: of its pictures inside the source.
        splits: in which it has pictures.
    """

    name: str
    paths: tuple[str, ...]
    splits: frozenset[str] = frozenset()


@dataclass(frozen=True, kw_only=True)
class Suspicion:
    """Why names are probably no classes.

    Attributes:
        kind: ``splits``, ``people``, ``recordings``, ``text``, ``versions``, ``file names``,
            ``categories``, ``twice``, ``several`` or ``level``.
        names: those that it is about.
        reason: completes "the classes ...".
        expressions: that file names hold, where they do.
        splits: what ``--split-names`` would say, where names look like splits.
        rename: what ``--rename`` would say, where two names are one class.
    """

    kind: str
    names: tuple[str, ...]
    reason: str
    expressions: tuple[str, ...] = ()
    splits: str = ""
    rename: str = ""


def suspicion(classes: Sequence[ClassFolder], *, from_folders: bool = True) -> Suspicion | None:
    """The first reason to think that these are no classes, or None.

    Args:
        from_folders: they are names of folders. Labels from a file or from file names were written
            as labels, and may be numbers of any kind.
    """
    names = [one.name for one in classes]
    found = _garbled(names) or _splits(names) or _several(names)
    if found is not None:
        return found
    if not from_folders:
        return _twice(names) or _one_each(classes, from_folders=False)
    expressions = [name for name in names if expression_in(name)]
    if (found := _compound(expressions)) is not None:
        return found
    others = [one for one in classes if expression_in(one.name) is None]
    if not others:
        return _twice(names)
    by_shape = None if expressions else _category(names)
    by_shape = by_shape or _by_shape(others, among=len(expressions))
    by_files = _people_by_files(others, among=len(expressions))
    if by_shape is not None and by_files is not None:
        return replace(by_shape, expressions=by_files.expressions)
    if by_shape is not None or by_files is not None or expressions:
        return by_shape or by_files or _twice(names)
    by_names = _versions(names) or _people_by_name(names) or _initials(names)
    return (
        by_names
        or _twice(names)
        or _level(classes)
        or _apart(classes)
        or _one_each(classes, from_folders=True)
    )


def _garbled(names: Sequence[str]) -> Suspicion | None:
    for name in names:
        if (why := looks_garbled(name)) is not None:
            return Suspicion(kind="text", names=(name,), reason=f"were decoded wrongly: {why}")
    return None


def _splits(names: Sequence[str]) -> Suspicion | None:
    if not (found := resembling_splits(names)):
        return None
    named, names = named_splits(found), tuple(found)
    return Suspicion(kind="splits", names=names, reason="look like splits", splits=named)


def _compound(names: Sequence[str]) -> Suspicion | None:
    """An expression and a person or number in one name, several for one expression."""
    of_expression: dict[str, list[str]] = defaultdict(list)
    for name in names:
        if _is_id(_without_expression(name)):
            own = (word for word in letters(name) if word in EXPRESSION_WORDS)
            of_expression[" ".join(own)].append(name)
    found = tuple(name for group in of_expression.values() if len(group) > 1 for name in group)
    if 2 * len(found) < len(names) or not found:
        return None
    words = {word for name in found for word in letters(name) if word in EXPRESSION_WORDS}
    reason = "look like people or recordings of one expression"
    return Suspicion(kind="people", names=found, reason=reason, expressions=tuple(sorted(words)))


def _without_expression(name: str) -> str:
    return " ".join(word for word in tokens(name) if word not in EXPRESSION_WORDS)


def _is_id(rest: str) -> bool:
    shaped = (shapes.is_person, shapes.is_recording, shapes.is_moment)
    return (
        rest.isdecimal()
        or any(fits(rest) for fits in shaped)
        or (rest != "" and shapes.numbers_people([rest.replace(" ", "")]))
        or _has_first_name(rest)
    )


_SHAPES: tuple[tuple[str, str, Callable[[str], bool]], ...] = (
    ("recordings", "look like dates or times", shapes.is_moment),
    ("recordings", "look like random ids", shapes.is_random),
    ("people", "look like people", shapes.is_person),
    ("recordings", "look like recordings or parts of them", shapes.is_recording),
    ("recordings", "look like ranges or codes of numbers", shapes.is_numbers),
)


def _by_shape(others: Sequence[ClassFolder], *, among: int) -> Suspicion | None:
    """Names that are numbered, among so many that are expressions."""
    names = [one.name for one in others]
    for kind, reason, fits in _SHAPES:
        found = tuple(name for name in names if fits(name))
        # Beside expressions, a single numbered name is a stray folder.
        if found and (among or 2 * len(found) >= len(names)):
            return Suspicion(kind=kind, names=found, reason=reason)
    numbers = tuple(name for name in names if re.fullmatch(r"\s*\d+\s*", name, re.ASCII))
    if numbers and (among or 2 * len(numbers) >= len(names)):
        own = [one for one in others if one.name in numbers]
        if among or not shapes.numbers_classes(numbers, shared=_shared(own)):
            reason = "look like numbers of people or recordings"
            return Suspicion(kind="recordings", names=numbers, reason=reason)
    if shapes.numbers_people(names):
        return Suspicion(kind="people", names=tuple(names), reason="look like people")
    return None


def _shared(classes: Sequence[ClassFolder]) -> bool:
    """Whether there are two splits or more and every class is in all of them."""
    splits = frozenset[str]().union(*(one.splits for one in classes))
    return len(splits) > 1 and all(one.splits == splits for one in classes)


def _versions(names: Sequence[str]) -> Suspicion | None:
    if len(names) > 1 and all(map(_is_version, names)):
        reason = "look like versions of the same pictures"
        return Suspicion(kind="versions", names=tuple(names), reason=reason)
    return None


def _is_version(name: str) -> bool:
    text = plain(name).strip()
    return text in _VERSIONS or _SIZE.fullmatch(text) is not None


def _category(names: Sequence[str]) -> Suspicion | None:
    if (found := category(names)) is None:
        return None
    reason, those = found
    return Suspicion(kind="categories", names=those, reason=reason)


def _initials(names: Sequence[str]) -> Suspicion | None:
    if not shapes.are_initials(names):
        return None
    return Suspicion(kind="people", names=tuple(names), reason="look like initials of people")


def _twice(names: Sequence[str]) -> Suspicion | None:
    """Names that are one class in two spellings."""
    if not (pairs := same_class(names)):
        return None
    those = tuple(dict.fromkeys(name for pair in pairs for name in pair))
    rename = ",".join(f"{name}={better}" for name, better in pairs)
    reason = "have one class under several names"
    return Suspicion(kind="twice", names=those, reason=reason, rename=rename)


def _several(names: Sequence[str]) -> Suspicion | None:
    """Names that list other classes, as labels of pictures with several of them."""
    known = {plain(name) for name in names} | set(EXPRESSION_WORDS)
    found = tuple(name for name in names if _lists(name, known))
    if not found:
        return None
    reason = "name several classes of one picture"
    return Suspicion(kind="several", names=found, reason=reason)


def _lists(name: str, known: Collection[str]) -> bool:
    parts = [part.strip() for part in re.split(r"[|;,&+/]", plain(name))]
    return len(parts) > 1 and all(part in known for part in parts)


def _level(classes: Sequence[ClassFolder]) -> Suspicion | None:
    """One class whose folder is in several others, which are probably the classes."""
    if len(classes) != 1:
        return None
    above = {
        parts[-2]
        for path in classes[0].paths
        if len(parts := PurePosixPath(path).parts[:-1]) > 1 and usual_split(parts[-2]) is None
    }
    if len(above) < 2:
        return None
    reason = f"are not in the folders above the files, which are all named {classes[0].name!r}"
    return Suspicion(kind="level", names=(classes[0].name,), reason=reason)


def _people_by_files(others: Sequence[ClassFolder], *, among: int) -> Suspicion | None:
    """Folders whose files name expressions, several in one folder: the folders are people."""
    if among > len(others):
        return None
    mixed, expressions = [], Counter[str]()
    for one in others:
        found = Counter(
            word for path in one.paths if (word := _expression_of_file(path, one.name)) is not None
        )
        if 2 * sum(found.values()) > len(one.paths):
            expressions += found
            mixed += [one.name] * (len(found) > 1)
    if not mixed or 2 * len(mixed) < len(others):
        return None
    words = tuple(sorted(expressions))
    reason = f"are not in the folders but in the file names ({', '.join(words[:4])})"
    return Suspicion(kind="file names", names=tuple(mixed), reason=reason, expressions=words)


def _expression_of_file(path: str, folder: str) -> str | None:
    """The word or code for an expression in a file's name, as it is written there."""
    stem = PurePosixPath(path).stem
    for word in letters(stem):
        if word in EXPRESSION_WORDS:
            return word
    if (code := long_code(stem)) is not None:
        return code
    own = plain(stem)
    if not own.startswith(plain(folder)):
        return None
    rest = own.removeprefix(plain(folder)).lstrip("._- ")
    # KDEF writes AF01ANS (angry, straight), JAFFE KA.AN1.
    return rest[:2].upper() if rest[:2] in CODES and not rest[3:4].isalpha() else None


def _people_by_name(names: Sequence[str]) -> Suspicion | None:
    found = tuple(name for name in names if _has_first_name(name))
    least = 0.4 if len(names) >= 2 * _MANY else 0.6
    if len(names) > 1 and len(found) >= least * len(names):
        return Suspicion(kind="people", names=found, reason="look like names of people")
    return None


def _has_first_name(name: str) -> bool:
    if re.fullmatch(r"[\u4e00-\u9fff]{2,3}", name):
        return name[0] in CHINESE_FAMILIES or name in FIRST_NAMES
    words = letters(name)
    return 0 < len(words) <= 4 and (_is_first_name(words[0]) or _is_first_name(words[-1]))


def _is_first_name(word: str) -> bool:
    # Marks of Latin letters are often left out; that of a Cyrillic one makes it another letter.
    return word in FIRST_NAMES or _without_marks(word) in FIRST_NAMES


def _without_marks(word: str) -> str:
    apart = unicodedata.normalize("NFD", word)
    return "".join(character for character in apart if not unicodedata.combining(character))


def _apart(classes: Sequence[ClassFolder]) -> Suspicion | None:
    """Classes of which none is in two splits, as people are divided."""
    splits = Counter(split for one in classes for split in one.splits)
    if len(splits) < 2 or min(splits.values()) < 2 or any(len(one.splits) > 1 for one in classes):
        return None
    reason = "are others in every split, as people are"
    return Suspicion(kind="people", names=tuple(one.name for one in classes), reason=reason)


def _one_each(classes: Sequence[ClassFolder], *, from_folders: bool) -> Suspicion | None:
    sizes = sorted(len(one.paths) for one in classes)
    if not from_folders and all(one.name.strip().isdecimal() for one in classes):
        return None
    labels = [one for one in classes if any(word in LABEL for word in letters(one.name))]
    if len(classes) < _MANY or sizes[len(sizes) // 2] > 1 or 2 * len(labels) > len(classes):
        return None
    reason = "have one picture each"
    return Suspicion(kind="recordings", names=tuple(one.name for one in classes), reason=reason)
