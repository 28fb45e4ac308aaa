r"""Escaping of untrusted text: one function per kind of output.

Names of classes, arms, files, folders and machines, and the messages of libraries, may hold
anything: escape sequences that move the cursor, line breaks that fake a line, overrides that turn
the reading direction. Such characters are shown as Python writes them (``\x1b``, ``\n``,
``\u202e``). Everything else, of any script, stays as it is.

======================  ==================================================================
:func:`one_line`        a line of a terminal or a log, a cell, a text of a page or a figure
:func:`lines`           the same where line breaks and tabs are meant
:func:`job_log`         the log of a job, on a terminal; of one in pieces see :class:`LogPieces`
:func:`readable`        a document of such texts, before anything is rendered from it
:func:`markdown`        text between Markdown's own signs
:func:`plotly`          text in plotly's figures
:func:`json_text`       JSON, for a file or a terminal; nothing is lost
:func:`metric_tag`      a tag of a metric
:func:`shell_word`      a word of a command that is shown to be copied
:class:`LineFormatter`  an entry of a log
======================  ==================================================================

HTML, XML and what Matplotlib draws need no more than :func:`readable` and what their writers
escape themselves.
"""

from __future__ import annotations

import hashlib
import json
import logging
import os
import re
import shlex
from collections.abc import Callable, Mapping
from textwrap import indent
from typing import Any
from urllib.parse import quote

#: What no output shows: control characters, line and paragraph separators, what turns the reading
#: direction or has no width, lone surrogates, and codes that are no characters.
_HIDDEN = (
    r"\x00-\x1f\x7f-\x9f\xad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180e\u200b\u200e\u200f"
    r"\u2028-\u202e\u2060-\u206f\u3164\ud800-\udfff\ufdd0-\ufdef\ufeff\uffa0\ufff0-\ufffb"
    r"\ufffe\uffff\U0001bca0-\U0001bca3\U0001d173-\U0001d17a\U000e0000-\U000e00ff"
)
#: Joiners shape letters (Persian, Hindi) and emoji; between others they are only unseen.
_SHAPED = (
    r"[\u0600-\u1fff\u2190-\u2bff\ua800-\uabff\ufb50-\ufdcf\ufdf0-\ufe0f\ufe70-\ufefc"
    r"\U00010800-\U0001fbff]"
)
_JOINER = rf"(?<!{_SHAPED})[\u200c\u200d]|[\u200c\u200d](?!{_SHAPED})"
_ONE_LINE = re.compile(f"[{_HIDDEN}]|{_JOINER}")
_LINES = re.compile(f"(?![\n\t])[{_HIDDEN}]|{_JOINER}")
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")
#: The end of a piece that the next may complete; a longer sequence is no colour.
_INCOMPLETE = re.compile(r"(?:\x1b(?:\[[0-9;]{0,64})?|\r)\Z")

_NAMED = {"\n": r"\n", "\r": r"\r", "\t": r"\t"}


def one_line(text: object) -> str:
    """``str(text)`` as one line that does nothing to whatever shows it."""
    return _ONE_LINE.sub(lambda found: _escaped(found[0]), str(text))


def lines(text: object) -> str:
    """The same with line breaks (``\\n``) and tabs left in."""
    return _LINES.sub(lambda found: _escaped(found[0]), str(text))


def job_log(text: str) -> str:
    """Text of a job's log: colours are removed, and what else is not text is shown.

    A carriage return, with which progress bars write over their line, starts a new one.
    """
    return lines(_COLOURS.sub("", text).replace("\r\n", "\n").replace("\r", "\n"))


class LogPieces:
    """Joins the pieces of a job's log so that :func:`job_log` of each is right.

    A piece may end within an escape sequence, or between ``\\r`` and ``\\n``: such an end is held
    back until the next piece.
    """

    def __init__(self) -> None:
        self._held = ""

    def complete(self, piece: str) -> str:
        """What was held back and ``piece``, up to an incomplete end."""
        text = self._held + piece
        found = _INCOMPLETE.search(text)
        self._held = found[0] if found else ""
        return text.removesuffix(self._held)

    def rest(self) -> str:
        """What is held back, after the last piece."""
        text, self._held = self._held, ""
        return text


def readable(document: Any, show: Callable[[str], str] = one_line) -> Any:
    """A JSON document with ``show`` of every string and key."""
    if isinstance(document, str):
        return show(document)
    if isinstance(document, Mapping):
        return {readable(key, show): readable(value, show) for key, value in document.items()}
    if isinstance(document, list | tuple):
        return [readable(item, show) for item in document]
    return document


#: Signs that mean something to Markdown anywhere, or where a block begins; ``_`` within a word and
#: a ``<``, ``&`` or ``~`` apart mean nothing.
_MARKDOWN = re.compile(
    r"[\\`*\[\]|$]|(?<![^\W_])_|_(?![^\W_])|<(?=[A-Za-z/!?])|&(?=#?\w+;)|~(?=~)|(?<=~)~|~(?=\S)"
    r"|^(?:#(?=#*(?:\s|$))|[-+](?=\s|-|$)|>|=(?==*\s*$))"
    r"|(?<=:)/(?=/)|(?<=\bwww)\.",
    re.IGNORECASE,
)
_MARKDOWN_NUMBER = re.compile(r"^(\d{1,9})([.)])(?=\s|$)")


def markdown(text: object) -> str:
    """One line of text as Markdown shows it: no emphasis, link, picture, HTML, cell or block.

    Addresses in it become no links; renderers that look for bare e-mail addresses find them.
    """
    plain = one_line(text).lstrip(" ")
    plain = _MARKDOWN.sub(lambda found: f"\\{found[0]}", plain)
    return _MARKDOWN_NUMBER.sub(r"\1\\\2", plain)


def plotly(text: object) -> str:
    """Text in plotly's figures, which know some HTML."""
    return one_line(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def json_text(document: Any, *, indent: int | None = None, allow_nan: bool = True) -> str:
    r"""JSON with letters of any script as they are and the rest as ``\u001b``; nothing is lost."""
    text = json.dumps(document, ensure_ascii=False, allow_nan=allow_nan, indent=indent)
    # Line breaks are the indentation's: those of a string are escaped by now.
    return _LINES.sub(lambda found: json.dumps(found[0])[1:-1], text)


#: Longest tag. Ray sets no limit, but every sample of every metric carries its tags.
TAG_LENGTH = 200
_TAG_PLAIN = "".join(chr(code) for code in range(0x20, 0x7F) if chr(code) not in '%"\\')


def metric_tag(text: object) -> str:
    """A metric's tag in printable ASCII: the rest percent-encoded, as in a URL; never empty.

    Different texts give different tags. Of a long one the end becomes a hash of the whole.
    """
    tag = quote(str(text), safe=_TAG_PLAIN, encoding="utf-8", errors="surrogatepass")
    if len(tag) > TAG_LENGTH:
        digest = hashlib.sha256(tag.encode()).hexdigest()[:16]
        return f"{tag[: TAG_LENGTH - 17]}~{digest}"
    return tag or "%empty"  # no text's encoding: a % is followed by two digits


def shell_word(text: object) -> str:
    r"""A word of a command line, quoted for a POSIX shell.

    One with characters that are not shown is written as ``$'a\x1b'``, as bash and zsh read it.
    """
    word = str(text)
    if one_line(word) == word:
        return shlex.quote(word)
    shown = word.replace("\\", "\\\\").replace("'", "\\'")
    return f"$'{_ONE_LINE.sub(lambda found: _bytes_of(found[0]), shown)}'"


class LineFormatter(logging.Formatter):
    """One line per entry, whatever its message holds; the lines of a traceback are indented.

    Credentials are left out, as a library's words may hold some.
    """

    def formatMessage(self, record: logging.LogRecord) -> str:
        return one_line(_masked(super().formatMessage(record)))

    def formatException(self, ei: Any) -> str:
        return indent(lines(_masked(super().formatException(ei))), "    ", lambda line: True)

    def formatStack(self, stack_info: str) -> str:
        return indent(lines(_masked(super().formatStack(stack_info))), "    ", lambda line: True)


def _masked(text: str) -> str:
    from fer_tune.storage.secrets import masked  # which needs this module itself

    return masked(text)


def _escaped(character: str) -> str:
    code = ord(character)
    if character in _NAMED:
        return _NAMED[character]
    return (
        f"\\x{code:02x}"
        if code < 0x100
        else f"\\u{code:04x}"
        if code < 0x10000
        else f"\\U{code:08x}"
    )


def _bytes_of(character: str) -> str:
    try:
        encoded = os.fsencode(character)
    except UnicodeEncodeError:
        encoded = character.encode(errors="surrogatepass")
    return "".join(f"\\x{byte:02x}" for byte in encoded)
