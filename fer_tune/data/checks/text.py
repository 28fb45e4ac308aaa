"""Text in one Unicode form; names whose encoding is unknown; text that was decoded wrongly."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Callable, Collection, Iterable
from urllib.parse import unquote

from fer_tune.data.checks.words import EXPRESSION_WORDS, plain
from fer_tune.errors import DataError

#: Tried in this order; of equally plausible ones the first is taken.
ENCODINGS = (
    *("cp437", "cp1252", "mac_roman", "gbk", "cp932", "big5", "cp949", "cp866", "cp1251", "cp1254"),
    *("cp1250", "cp850"),
)
#: A guess below this is none: 1 is text of usual letters alone.
LEAST_PLAUSIBLE = 0.5
#: So many folder and file names are looked at.
_MOST_NAMES = 500


def one_form(text: str) -> str:
    """The text in Unicode's form NFC, without marks of direction and byte order."""
    return unicodedata.normalize("NFC", re.sub("[\u200e\u200f\u2060\ufeff\u00ad]", "", text))


def guess_encoding(names: Iterable[bytes]) -> str:
    """The encoding of file names that do not say theirs, all of them together.

    UTF-8 if they are valid in it, which no other text of some length is by accident. Else the
    encoding in which they are made of the most usual characters.
    """
    foreign = {name for name in names if not name.isascii()}
    if all(_decoded(name, "utf-8") is not None for name in foreign):
        return "utf-8"
    # A backslash separates folders, or is the second byte of a character.
    parts = {part for name in foreign for part in name.split(b"/") if not part.isascii()}
    some = sorted(parts)[:_MOST_NAMES]
    scores = {encoding: _plausibility(some, encoding) for encoding in ENCODINGS}
    best = max(ENCODINGS, key=scores.__getitem__)
    return best if scores[best] >= LEAST_PLAUSIBLE else "cp437"


def checked_encoding(name: str, names: Collection[bytes]) -> str:
    """``--encoding``, if it exists and the names are text in it.

    Raises:
        DataError: otherwise.
    """
    part = b""
    try:
        "".encode(name)
        for part in names:
            part.decode(name)
    except LookupError:
        raise DataError(
            "unknown encoding",
            where="--encoding",
            value=name,
            remedy="For example utf-8, gbk, shift_jis, cp1252, cp437, mac_roman",
        ) from None
    except (UnicodeDecodeError, ValueError):
        guess = guess_encoding(names)
        raise DataError(
            f"the name {part!r} is not text in this encoding",
            where="--encoding",
            value=name,
            remedy=f"Without --encoding it is guessed, here as {guess}",
        ) from None
    return name


def _decoded(part: bytes, encoding: str) -> str | None:
    try:
        return part.decode(encoding)
    except (UnicodeDecodeError, ValueError):
        return None


def _plausibility(parts: list[bytes], encoding: str) -> float:
    """0 to 1, above 1 for words that are known."""
    texts = [_decoded(part, encoding) for part in parts]
    if None in texts:
        return 0.0
    weigh, is_latin = _WEIGHTS[encoding], encoding in _LATIN
    values = []
    for word in (word for text in texts for word in re.findall(r"[^/\\\s_.-]+", text or "")):
        # Letters of two scripts in one word are rare, and so are words of marked letters alone.
        mixed = any(character.isascii() and character.isalpha() for character in word)
        trust = 1.0 if mixed == is_latin else 0.4
        foreign = (character for character in word if not character.isascii())
        values += [trust * weigh(c, c.encode(encoding)) for c in foreign]
    known = sum(_has_known_word(text or "") for text in texts) / len(texts)
    return sum(values) / max(1, len(values)) + known


def _has_known_word(text: str) -> bool:
    return any(
        word in EXPRESSION_WORDS
        for word in (plain(text), *re.findall(r"[^\W\d_]+", plain(text)))
        if not word.isascii()
    )


#: Letters with marks, the frequent ones of European languages; capitals are rare in names.
_MARKED = frozenset("äöüßéèêëçñáíóúàâîïôûœøåæšžčřěąęłżźćśńğışőűãõìòùýůďťň")


def _latin(character: str, _: bytes) -> float:
    if character in _MARKED:
        return 0.9
    if character.lower() in _MARKED:
        return 0.6
    return 0.2 if character.isalpha() and "LATIN" in unicodedata.name(character, "") else 0.0


_CYRILLIC = frozenset("оеаинтсрвлкмдпуяыьгзбчйхжшюцщэф")


def _cyrillic(character: str, _: bytes) -> float:
    if character in _CYRILLIC:
        return 0.95
    return 0.6 if character.lower() in _CYRILLIC else 0.0


def _by_lead(
    usual: range, own: Callable[[str], bool] | None = None
) -> Callable[[str, bytes], float]:
    """Double bytes; the standards hold the usual characters in the rows of these first bytes."""

    def weigh(character: str, encoded: bytes) -> float:
        if own is not None and own(character):
            return 1.0
        return 0.85 if len(encoded) == 2 and encoded[0] in usual and character.isalpha() else 0.1

    return weigh


def _kana(character: str) -> bool:
    return "\u3041" <= character <= "\u30fc"


_LATIN = ("cp437", "cp1252", "mac_roman", "cp1254", "cp1250", "cp850")
_WEIGHTS: dict[str, Callable[[str, bytes], float]] = {
    **dict.fromkeys(_LATIN, _latin),
    **dict.fromkeys(("cp866", "cp1251"), _cyrillic),
    "gbk": _by_lead(range(0xB0, 0xD8)),
    "cp932": _by_lead(range(0x88, 0x98), _kana),
    "big5": _by_lead(range(0xA4, 0xC7)),
    "cp949": _by_lead(range(0xB0, 0xC9)),
}


def looks_garbled(name: str) -> str | None:
    """Why a name seems to have been decoded wrongly, or None."""
    if "\ufffd" in name:
        return "a name has characters that could not be decoded"
    if any("\u2500" <= character <= "\u259f" for character in name):
        return "a name has box-drawing characters, as names in another encoding have"
    letters = any(character.isalnum() for character in name)
    if "?" in name and not letters:
        return "a name has question marks only"
    if (unescaped := _unescaped(name)) != name:
        return f"a name has escapes that read {unescaped!r}"
    if (meant := _from_wide(name)) is not None:
        return f"a name reads {meant!r} in UTF-8"
    if (meant := _in_another(name)) is not None:
        return f"a name reads {meant!r} in another encoding"
    for encoding in ("cp1252", "latin-1", "cp437", "mac_roman", "cp1251"):
        better = _again(name, encoding)
        if better is not None:
            return f"a name reads {better!r} in UTF-8"
    foreign = [character for character in name if not character.isascii()]
    odd = [character for character in foreign if "\u0080" <= character <= "\u00bf"]
    if odd and all("\u0080" <= character <= "\u00ff" for character in foreign):
        return "a name has signs between letters, as names in another encoding have"
    latin = [character for character in foreign if "\u00c0" <= character <= "\u00ff"]
    if len(latin) >= 4 and len(latin) == len(re.sub(r"[\W\d_]", "", name)):
        return "a name has no letter without a mark, as names in another encoding have"
    return None


def _unescaped(name: str) -> str:
    """A name whose characters were escaped as in URLs (%E9), or by an unpacker (#U9ad8)."""
    if re.search("%[0-9A-Fa-f]{2}", name):
        return unquote(name)
    return re.sub("#U([0-9a-f]{4})", lambda found: chr(int(found[1], 16)), name)


def _from_wide(name: str) -> str | None:
    """The name read as UTF-8, if it is Chinese only because UTF-8 was read as GBK.

    Some ordinary Chinese words are also valid UTF-8, but no text of one script.
    """
    meant = _again(name, "gbk") if re.fullmatch("[^\x00-\x7f]{2,}", name) else None
    if meant is None:
        return None
    is_chinese = re.fullmatch(r"[\u3041-\u30fc\u4e00-\u9fff\uac00-\ud7a3]{2,}", meant)
    return meant if is_chinese or re.fullmatch(r"[\u0410-\u044f]{3,}", meant) else None


#: Encodings that are taken for each other: of the reader, and of who wrote the name.
_CONFUSED = (
    *(("cp1251", "koi8_r"), ("cp1251", "cp866"), ("koi8_r", "cp1251"), ("cp866", "cp1251")),
    *(("cp1252", "cp932"), ("cp1252", "gbk"), ("cp1252", "big5"), ("cp1252", "cp949")),
    *(("gbk", "big5"), ("big5", "gbk"), ("gbk", "cp932"), ("cp932", "gbk"), ("gbk", "cp949")),
)


def _in_another(name: str) -> str | None:
    """The name in another encoding, if it is a word for an expression, or Chinese, only there."""
    if name.isascii() or plain(name) in EXPRESSION_WORDS:
        return None
    for read, written in _CONFUSED:
        try:
            meant = name.encode(read).decode(written)
        except (UnicodeEncodeError, UnicodeDecodeError):
            continue
        # Words of marked letters may be valid by accident; signs between letters are none.
        wide = (
            read == "cp1252"
            and not name.isalpha()
            and re.fullmatch("[\u3041-\u30fc\u4e00-\u9fff\uac00-\ud7a3]{2,}", meant)
        )
        if wide or plain(meant) in EXPRESSION_WORDS:
            return meant
    return None


def _again(name: str, encoding: str) -> str | None:
    """The name read as UTF-8, if its characters are those of UTF-8 read in ``encoding``."""
    try:
        text = name.encode(encoding).decode("utf-8")
    except (UnicodeEncodeError, UnicodeDecodeError):
        return None
    return text if text != name and any(c.isalpha() and not c.isascii() for c in text) else None
