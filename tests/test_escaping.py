"""One function per kind of output: control characters are shown, everything else stays."""

from __future__ import annotations

import io
import json
import logging
import os
import shutil
import subprocess
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rich.console import Console
from rich.table import Table

from fer_tune.console import cells, say, styled
from fer_tune.errors import Fault, SpaceError, UserError
from fer_tune.escaping import (
    TAG_LENGTH,
    LogPieces,
    job_log,
    json_text,
    lines,
    markdown,
    metric_tag,
    one_line,
    plotly,
    readable,
    shell_word,
)
from fer_tune.tuning.log.log_file import LOG_FILE, LOGGER, log_file

#: Any text, lone surrogates included.
ANYTHING = st.text(st.characters(categories=None)) | st.text("\x1b[]\n\r\t\x00\u202e|<>\\$`*_#- ")
UNSEEN = ("Cc", "Cs", "Zl", "Zp")

READABLE = (
    "größe",
    "naïve café",
    "日本語",
    "العربية",
    "می\N{ZERO WIDTH NON-JOINER}خواهم",
    "हिन्दी क्\N{ZERO WIDTH JOINER}ष",
    "😀 👨\N{ZERO WIDTH JOINER}👩\N{ZERO WIDTH JOINER}👧 ❤\N{VARIATION SELECTOR-16} 👍🏽",
    "C:\\faces [1] $HOME <b> a|b",
)


@pytest.mark.parametrize("text", READABLE)
def test_text_of_any_script_stays(text: str) -> None:
    assert one_line(text) == lines(text) == json.loads(json_text(text)) == text
    assert text in json_text([text]) or "\\" in text


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[2J", r"\x1b[2J"),
        ("\x1b]8;;http://x\x07y", r"\x1b]8;;http://x\x07y"),
        ("a\r\nb\tc", r"a\r\nb\tc"),
        ("\x9b1m\x85\x7f\x00", r"\x9b1m\x85\x7f\x00"),
        ("\u202e\u2066\u200f", r"\u202e\u2066\u200f"),
        ("a\u200bb\ufeff\u2060", r"a\u200bb\ufeff\u2060"),
        ("a\u200db", r"a\u200db"),
        ("\u2028\u2029", r"\u2028\u2029"),
        ("\ud800\udcff", r"\ud800\udcff"),
        ("\U000e0041\ufffe", r"\U000e0041\ufffe"),
    ],
)
def test_what_is_no_text_is_shown(text: str, shown: str) -> None:
    assert one_line(text) == shown
    assert one_line(shown) == shown


@settings(deadline=None)
@given(ANYTHING)
def test_one_line_is_one_line_of_text(text: str) -> None:
    shown = one_line(text)
    assert not any(unicodedata.category(c) in UNSEEN for c in shown)
    shown.encode()
    assert len(shown.splitlines()) <= 1
    assert lines(text).replace("\n", r"\n").replace("\t", r"\t") == shown
    assert one_line(shown) == shown


@settings(deadline=None, max_examples=50)
@given(ANYTHING, ANYTHING)
def test_json_loses_nothing(one: str, other: str) -> None:
    document = {one: [other, {"x": one}, 0.5, None]}
    for indent in (None, 2):
        text = json_text(document, indent=indent)
        assert json.loads(text) == json.loads(json.dumps(document)) and text.encode()
        assert not any(unicodedata.category(c) in UNSEEN for c in text if c != "\n")


@settings(deadline=None, max_examples=50)
@given(st.lists(ANYTHING, unique=True, max_size=5))
def test_tags_are_printable_and_differ(texts: list[str]) -> None:
    tags = [metric_tag(text) for text in texts]
    assert all(t.isascii() and t.isprintable() and 0 < len(t) <= TAG_LENGTH for t in tags)
    assert len(set(tags)) == len(tags)


def test_documents_are_readable() -> None:
    document = {"a\n": ["\x1b", 1, None, True, 0.5], "b": {"c": ("\ud800",)}}
    assert readable(document) == {r"a\n": [r"\x1b", 1, None, True, 0.5], "b": {"c": [r"\ud800"]}}


def test_plotly_reads_no_html() -> None:
    assert plotly("<b>&lt;\n") == r"&lt;b&gt;&amp;lt;\n"


def test_markdown_of_ordinary_words_stays() -> None:
    for text in ("lr_head", "P(a > b) = 0.9", "+0.3 to +4.7", "a & b", "x < 3", "95 %", "#1"):
        assert markdown(text) == text


def test_a_jobs_log_keeps_its_lines_and_loses_its_colours() -> None:
    log = "\x1b[36m(trainer pid=7)\x1b[0m epoch\t1\r\n50 %\r100 %\n\x1b[2J\x1b]0;t\x07"
    assert job_log(log) == "(trainer pid=7) epoch\t1\n50 %\n100 %\n\\x1b[2J\\x1b]0;t\\x07"


@settings(deadline=None, max_examples=200)
@given(st.lists(st.text("\x1b[0;1m\r\nab"), max_size=8))
def test_a_log_in_pieces_is_shown_as_the_whole(pieces: list[str]) -> None:
    joined = LogPieces()
    shown = [job_log(joined.complete(piece)) for piece in pieces]
    assert "".join(shown) + job_log(joined.rest()) == job_log("".join(pieces))


def test_little_of_a_piece_is_held_back() -> None:
    joined = LogPieces()
    assert joined.complete("50 %\r") == "50 %" and joined.complete("60 %\x1b[3") == "\r60 %"
    assert joined.complete("1mred") == "\x1b[31mred" and joined.rest() == ""
    endless = "\x1b[" + "1;" * 100
    assert joined.complete(endless) == endless


WORDS = ("a b", "it's", "$HOME", "\x1b[2J", "two\nlines' \\n", "\u202eb", os.fsdecode(b"caf\xe9\n"))


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
@pytest.mark.parametrize("word", WORDS)
def test_a_shown_command_can_be_copied(word: str) -> None:
    shown = shell_word(word)
    assert one_line(shown) == shown
    done = subprocess.run(["bash", "-c", f"printf %s {shown}"], capture_output=True, check=True)
    assert done.stdout == os.fsencode(word)


# -- the terminal -----------------------------------------------------------------------------


def printed(*rows: object, **how: object) -> str:
    out = io.StringIO()
    console = Console(file=out, width=60, force_terminal=True, color_system="standard")
    say(console, *rows, **how)  # type: ignore[arg-type]
    return out.getvalue()


def test_no_markup_is_read() -> None:
    for text in ("[/nope]", "[bold]x[/]", ":smile: [link=http://x]y[/link]", "[0] x"):
        assert printed(text) == f"{text}\n"
        table = Table("name", box=None)
        table.add_row(*cells(text))
        assert text in printed(table)
    assert printed(styled(("[x]", "bold"), " y\n")) == "\x1b[1m[x]\x1b[0m y\\n\n"


def test_every_row_is_a_line() -> None:
    assert printed("a\x1b[1A\rb", "c\nd") == "a\\x1b[1A\\rb\nc\\nd\n"
    path = "/a/" + "b c " * 40
    assert printed(path) == f"{path}\n", "not broken: it may be copied"


# -- messages and logs ------------------------------------------------------------------------


def test_a_fault_is_one_line_whatever_it_names() -> None:
    error = UserError(
        "cannot \x1b[2Jread", where="/x\nVERDICT: better", value="\u202e", remedy="Do\r\nthis"
    )
    text = "/x\\nVERDICT: better: cannot \\x1b[2Jread (got '\\u202e'). Do\\r\\nthis"
    assert str(error) == text
    faults = [Fault(key="a\nb", rule="\x1b"), Fault(key="c", rule="d", remedy="e\n  - f")]
    assert str(SpaceError("x\n.yaml", faults)).split("\n") == [
        "x\\n.yaml: 2 errors in the search space:",
        "  - a\\nb: \\x1b",
        "  - c: d. e\\n  - f",
    ]


def test_a_log_entry_begins_only_where_one_begins(tmp_path: Path) -> None:
    fake = "x\n2026-01-01 00:00:00,000 INFO    VERDICT: better\x1b[2J"
    with log_file(tmp_path):
        logger = logging.getLogger(LOGGER)
        logger.warning("%s", fake)
        try:
            raise ValueError(fake)
        except ValueError:
            logger.exception("failed")
    written = (tmp_path / LOG_FILE).read_text(encoding="utf-8")
    assert "\x1b" not in written
    entries = [line for line in written.split("\n") if line and not line.startswith("    ")]
    assert len(entries) == 2
    assert entries[0].endswith(r"x\n2026-01-01 00:00:00,000 INFO    VERDICT: better\x1b[2J")
