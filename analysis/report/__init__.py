"""The report: built once as JSON, rendered from that JSON alone as a page and as Markdown."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from analysis.loading import load
from analysis.report.document import build
from analysis.report.quantities import Json
from fer_tune.errors import ResultsError
from fer_tune.records import write_atomically

__all__ = ["ReportPaths", "build", "write_report"]


@dataclass(frozen=True, kw_only=True)
class ReportPaths:
    """Where a report stands. Figures of the Markdown stand beside it as SVG."""

    html: Path
    markdown: Path
    json: Path


def write_report(folder: Path | str, out: Path | str | None = None) -> ReportPaths:
    """Writes report.json, then renders report.html and report.md from it.

    The same results folder gives the same bytes. See :func:`analysis.write_report`.
    """
    # Matplotlib and jinja2 come with the drawing alone; reading and estimating do without.
    from analysis.report.figures import draw_all
    from analysis.report.render import render_html, render_markdown

    search = load(folder)
    target = Path(out) if out is not None else search.root / "report"
    paths = ReportPaths(
        html=target / "report.html",
        markdown=target / "report.md",
        json=target / "report.json",
    )
    text = _dump(build(search))
    report = json.loads(text)
    drawings = draw_all(report)
    markdown, figures = render_markdown(report, drawings)
    files = {paths.json: text, paths.html: render_html(report, drawings), paths.markdown: markdown}
    try:
        for path, content in {**files, **{target / n: svg for n, svg in figures.items()}}.items():
            write_atomically(path, content)
    except OSError as error:
        raise ResultsError(
            f"the report cannot be written: {error.strerror}",
            where=str(target),
            remedy="Give another folder with --out",
        ) from None
    return paths


def _dump(report: Json) -> str:
    """A line per section: thousands of curve points stay small, and a diff stays readable."""
    lines = (
        f"{json.dumps(key)}: {json.dumps(section, ensure_ascii=False, allow_nan=False)}"
        for key, section in report.items()
    )
    return "{\n" + ",\n".join(lines) + "\n}\n"
