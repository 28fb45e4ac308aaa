"""The report: built as JSON, then rendered from that JSON alone as HTML and Markdown."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace

from analysis.inputs.loading import load
from analysis.report.document import build
from analysis.report.quantities import Json
from analysis.report.reading import read_report, typed
from analysis.report.topics import TOPICS, chapter_of
from analysis.settings import Settings
from fer_tune.errors import reporting
from fer_tune.escaping import json_text
from fer_tune.schema import TooLarge, read_at_most
from fer_tune.schema.limits import MIB
from fer_tune.storage import AnyPath, any_path, remove_file, write_atomically

__all__ = ["ReportPaths", "build", "read_report", "write_report"]

#: A larger report.md was not written by this package.
_MARKDOWN_BYTES = 64 * MIB


@dataclass(frozen=True, kw_only=True)
class ReportPaths:
    """Files of a report. Figures of the Markdown are SVG files beside it.

    ``explore`` is None if plotly is not installed or no trial has ended.
    """

    html: AnyPath
    markdown: AnyPath
    json: AnyPath
    explore: AnyPath | None = None


def write_report(
    folders: AnyPath | str | Sequence[AnyPath | str],
    out: AnyPath | str | None = None,
    settings: Settings | None = None,
) -> ReportPaths:
    """Writes report.json, report.html and report.md rendered from it, and explore.html.

    The same results folders give the same bytes. See :func:`analysis.write_report`.

    Raises:
        ResultsError: as there; whether the folder can be written is checked first.
    """
    from analysis.outputs.explore import write_explore

    search = load(folders)
    name = "report" if len(search.manifests) == 1 else "report-merged"
    # The user's own path may be a link; links below it are not followed.
    target, within = (any_path(out),) * 2 if out is not None else (search.root / name, search.root)
    _try_writing(target, within)
    text = _dump(build(search, settings))
    paths = _write(json.loads(text), text, target, within)
    explore = write_explore(search, target / "explore.html", within=within)
    if explore is None:
        with _writing_to(target):
            remove_file(target / "explore.html", within=within)  # an earlier report's
    return replace(paths, explore=explore)


def _try_writing(target: AnyPath, within: AnyPath) -> None:
    """Creates the folder and a probe file, and removes the file: permissions are not conclusive.

    At a URL, the file alone.

    Raises:
        ResultsError: the folder cannot be written.
    """
    with _writing_to(target):
        probe = target / ".writable"
        write_atomically(probe, b"", within=within)
        remove_file(probe, within=within)


def _write(document: Json, text: str, target: AnyPath, within: AnyPath) -> ReportPaths:
    """Writes report.json's ``text`` and the files rendered from it into ``target``.

    The JSON keeps every name as it is; rendered files show names in readable form.

    Args:
        within: the folder below which no link is followed.

    Raises:
        ResultsError: the folder cannot be written.
    """
    # Only rendering imports Matplotlib and jinja2.
    from analysis.report.presentation.render import Content, render_html, render_markdown
    from analysis.report.verdict.opening import opening

    paths = ReportPaths(
        html=target / "report.html",
        markdown=target / "report.md",
        json=target / "report.json",
    )
    report = typed(document, shown=True)
    # Before any trial has reported there is the chapter on the method alone.
    topics = TOPICS if report.arms else ("method",)
    chapters = tuple(chapter_of(topic, report) for topic in topics)
    content = Content(opening=opening(report), chapters=chapters)
    markdown, figures = render_markdown(report, content)
    files = {paths.json: text, paths.html: render_html(report, content), paths.markdown: markdown}
    with _writing_to(target):
        old = _figures_of(paths.markdown)
        for path, words in {**files, **{target / n: svg for n, svg in figures.items()}}.items():
            write_atomically(path, words, within=within)
        for name in old - figures.keys():
            remove_file(target / name, within=within)
    return paths


def _writing_to(target: AnyPath) -> AbstractContextManager[None]:
    return reporting("the report cannot be written", target, "Choose another folder with --out")


def _figures_of(markdown: AnyPath) -> set[str]:
    """The figures of an earlier report.md; other files are not touched."""
    try:
        text = read_at_most(markdown, _MARKDOWN_BYTES).decode(errors="replace")
    except (FileNotFoundError, TooLarge):
        return set()
    return set(re.findall(r"^!\[.*\]\((figures/[\w-]+\.svg)\)$", text, flags=re.MULTILINE))


def _dump(report: Json) -> str:
    """A line per section: compact, and readable in a diff."""
    lines = (
        f"{json_text(key)}: {json_text(section, allow_nan=False)}"
        for key, section in report.items()
    )
    return "{\n" + ",\n".join(lines) + "\n}\n"
