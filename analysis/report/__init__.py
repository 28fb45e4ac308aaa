"""The report: built once as JSON, rendered from that JSON alone as a page and as Markdown."""

from __future__ import annotations

import json
import re
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from analysis.loading import load
from analysis.report.document import build
from analysis.report.quantities import Json
from analysis.settings import Settings
from fer_tune.errors import ResultsError
from fer_tune.storage import Place, place, write_atomically

__all__ = ["ReportPaths", "build", "write_report"]


@dataclass(frozen=True, kw_only=True)
class ReportPaths:
    """Where a report stands. Figures of the Markdown stand beside it as SVG.

    ``explore`` is None where plotly is not installed or there is nothing to explore.
    """

    html: Place
    markdown: Place
    json: Place
    explore: Place | None = None


def write_report(
    folders: Place | str | Sequence[Place | str],
    out: Place | str | None = None,
    settings: Settings | None = None,
) -> ReportPaths:
    """Writes report.json, renders report.html and report.md from it, and explore.html beside.

    The same results folders give the same bytes. See :func:`analysis.write_report`.

    Raises:
        ResultsError: as there; that nothing can be written is noticed before anything is built.
    """
    from analysis.explore import write_explore

    search = load(folders)
    name = "report" if len(search.manifests) == 1 else "report-merged"
    target = place(out) if out is not None else search.root / name
    _try_writing(target)
    text = _dump(build(search, settings))
    paths = _write(json.loads(text), text, target)
    explore = write_explore(search, target / "explore.html")
    if explore is None:
        try:
            (target / "explore.html").unlink(missing_ok=True)  # an earlier report's
        except OSError as error:
            raise _unwritable(target, error) from None
    return replace(paths, explore=explore)


def _try_writing(target: Place) -> None:
    """Makes the folder and a file in it that is gone again: permissions alone do not tell.

    At a URL, a file alone.

    Raises:
        ResultsError: the folder cannot be written.
    """
    try:
        if isinstance(target, Path):
            target.mkdir(parents=True, exist_ok=True)
            with tempfile.TemporaryFile(dir=target):
                pass
        else:
            probe = target / ".writable"
            probe.write_bytes(b"")
            probe.unlink()
    except OSError as error:
        raise _unwritable(target, error) from None


def _write(report: Json, text: str, target: Place) -> ReportPaths:
    """Writes report.json's ``text`` and what is rendered from it into ``target``.

    Raises:
        ResultsError: the folder cannot be written.
    """
    # Matplotlib and jinja2 come with the drawing alone; reading and estimating do without.
    from analysis.report.content import content_of
    from analysis.report.render import render_html, render_markdown

    paths = ReportPaths(
        html=target / "report.html",
        markdown=target / "report.md",
        json=target / "report.json",
    )
    content = content_of(report)
    markdown, figures = render_markdown(report, content)
    files = {paths.json: text, paths.html: render_html(report, content), paths.markdown: markdown}
    try:
        old = _figures_of(paths.markdown)
        for path, words in {**files, **{target / n: svg for n, svg in figures.items()}}.items():
            write_atomically(path, words)
        for name in old - figures.keys():
            (target / name).unlink(missing_ok=True)
    except OSError as error:
        raise _unwritable(target, error) from None
    return paths


def _unwritable(target: Place, error: OSError) -> ResultsError:
    return ResultsError(
        f"the report cannot be written: {error.strerror}",
        where=str(target),
        remedy="Give another folder with --out",
    )


def _figures_of(markdown: Place) -> set[str]:
    """The figures that an earlier report.md shows; whatever else lies there is not ours."""
    if not markdown.exists():
        return set()
    text = markdown.read_text(encoding="utf-8", errors="replace")
    return set(re.findall(r"\]\((figures/[\w-]+\.svg)\)", text))


def _dump(report: Json) -> str:
    """A line per section: thousands of curve points stay small, and a diff stays readable."""
    lines = (
        f"{json.dumps(key)}: {json.dumps(section, ensure_ascii=False, allow_nan=False)}"
        for key, section in report.items()
    )
    return "{\n" + ",\n".join(lines) + "\n}\n"
