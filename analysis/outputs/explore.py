"""explore.html: Optuna's plots of every arm and parallel coordinates of all trials, interactive.

One self-contained file: plotly's script is embedded once, each figure as JSON that is drawn when
it comes into view. The same records give the same bytes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from html import escape as escape_html
from importlib.util import find_spec
from typing import TYPE_CHECKING

from analysis.inputs.search import Search
from fer_tune.errors import reporting
from fer_tune.escaping import one_line
from fer_tune.storage import AnyPath, write_atomically

if TYPE_CHECKING:
    from analysis.outputs.explore_plots import Plot


@dataclass(frozen=True, kw_only=True)
class _Part:
    """A heading with its plots, and remarks on plots that are omitted."""

    title: str
    plots: tuple[Plot, ...]
    remarks: tuple[str, ...]


def write_explore(
    search: Search, path: AnyPath, *, within: AnyPath | None = None
) -> AnyPath | None:
    """Writes the interactive plots of ``search`` to ``path`` and returns it.

    Args:
        within: a parent folder, below which no link is followed; the file's own by default.

    Returns:
        None, and nothing is written, where plotly is not installed (``pip install plotly``) or no
        trial has ended.

    Raises:
        ResultsError: the file cannot be written.
    """
    if find_spec("plotly") is None or search.trials.empty:
        return None
    from plotly.offline import get_plotlyjs

    page = _page(search, tuple(_parts(search)), get_plotlyjs())
    remedy = "Choose another folder with --out"
    with reporting("the interactive plots cannot be written", path, remedy):
        write_atomically(path, page, within=within)
    return path


def _parts(search: Search) -> Iterator[_Part]:
    from analysis.inputs.studies import rebuild
    from analysis.outputs import explore_plots

    shown = explore_plots.escaped(search)
    studies = {arm: rebuild(shown, arm, curves=True) for arm in shown.arms}
    plots, remarks = explore_plots.across(shown, studies)
    yield _Part(title="All arms", plots=plots, remarks=remarks)
    for title, study in zip(search.arms, studies.values(), strict=True):
        plots, remarks = explore_plots.of_arm(shown, study)
        yield _Part(title=title, plots=plots, remarks=remarks)


def _page(search: Search, parts: tuple[_Part, ...], script: str) -> str:
    name = _html(search.get("name", default=search.root.name))
    links = "".join(
        f'<li><a href="#part-{number}">{_html(part.title)}</a></li>'
        for number, part in enumerate(parts)
    )
    body = "".join(_section(number, part) for number, part in enumerate(parts))
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{name}: interactive plots</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n"
        f"<header><h1>{name}: interactive plots</h1>\n<p>{_INTRO}</p>\n"
        f"<p>{_html(_values_note(search))}</p></header>\n"
        f'<nav aria-label="Arms"><ul>{links}</ul></nav>\n<main>\n{body}</main>\n'
        f"<script>{script}</script>\n<script>{_DRAW}</script>\n</body>\n</html>\n"
    )


def _values_note(search: Search) -> str:
    better = "lower" if search.metric == "loss" else "higher"
    return (
        f"Values are each trial's best validation {search.metric_name}; {better} is better. "
        "Optuna renumbers the trials of each arm in sampling order; its timeline shows the "
        "report's trial number as user attribute trial."
    )


def _section(number: int, part: _Part) -> str:
    remarks = "".join(f"<p>{_html(remark)}</p>\n" for remark in part.remarks)
    plots = "".join(
        _figure(f"plot-{number}-{place}", plot) for place, plot in enumerate(part.plots)
    )
    return (
        f'<section aria-labelledby="part-{number}">\n<h2 id="part-{number}">'
        f"{_html(part.title)}</h2>\n{remarks}{plots}</section>\n"
    )


def _figure(identifier: str, plot: Plot) -> str:
    # In a script element "<" may begin its end, or a comment that hides the end.
    data = plot.json.replace("<", "\\u003c")
    return (
        f'<h3 id="{identifier}-title">{_html(plot.title)}</h3>\n<p>{_html(plot.words)}</p>\n'
        f'<div class="wide" tabindex="0" role="region" aria-labelledby="{identifier}-title">'
        f'<div class="plot" id="{identifier}" style="min-height: {plot.height}px"></div></div>\n'
        f'<script type="application/json" id="{identifier}-data">{data}</script>\n'
    )


def _html(text: object) -> str:
    """Text of an element or an attribute."""
    return escape_html(one_line(text))


_INTRO = (
    "Optuna's plots of the studies of this search, rebuilt from its records. They are for "
    "exploration: nothing here has a confidence interval, and the verdict is in the report. Drag "
    "to zoom, double-click to zoom out, click a legend entry to hide it."
)

#: In dark mode the plots, Optuna's colours included, are inverted in lightness alone; their white
#: becomes the page's background. Print stays white.
_STYLE = """
body { margin: 0 auto; max-width: 76rem; padding: 1.25rem; background: #fff; color: #1b1b1b;
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", sans-serif; }
h1 { font-size: 1.4rem; } h2 { font-size: 1.25rem; border-top: 1px solid #d4d4d4;
  margin-top: 2.5rem; padding-top: .75rem; } h3 { font-size: 1rem; margin: 1.5rem 0 .2rem; }
p { margin: .3rem 0; max-width: 50rem; } a { color: #005a9c; }
nav ul { list-style: none; display: flex; flex-wrap: wrap; gap: .2rem 1rem; padding: 0; }
.wide { overflow-x: auto; } .plot { min-width: 44rem; }
@media screen and (prefers-color-scheme: dark) {
  :root { color-scheme: dark; } body { background: #1a1a1a; color: #e6e6e6; } a { color: #7cc0ff; }
  h2 { border-color: #3a3e45; } .plot { filter: invert(.9) hue-rotate(180deg); }
}
"""

#: Draws each figure shortly before it comes into view; drawing hundreds at once is slow.
_DRAW = """
const watch = new IntersectionObserver((entries) => {
  for (const entry of entries) {
    if (!entry.isIntersecting) continue;
    watch.unobserve(entry.target);
    const figure = JSON.parse(document.getElementById(entry.target.id + '-data').textContent);
    Plotly.newPlot(entry.target, figure.data, figure.layout,
      {displaylogo: false, responsive: true});
  }
}, {rootMargin: '800px'});
document.querySelectorAll('.plot').forEach((plot) => watch.observe(plot));
"""
