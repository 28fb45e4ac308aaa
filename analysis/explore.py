"""explore.html: Optuna's own plots of every arm, and all trials as lines, to turn and zoom.

One file that asks for nothing: plotly's script stands in it once, each figure beside it as JSON
and is drawn when it comes into view. The same records give the same bytes.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from html import escape
from importlib.util import find_spec
from typing import TYPE_CHECKING

from analysis.loading import Search
from fer_tune.errors import ResultsError
from fer_tune.storage import Place, write_atomically

if TYPE_CHECKING:
    from analysis.explore_plots import Plot


@dataclass(frozen=True, kw_only=True)
class _Part:
    """A heading with its plots, and remarks on what is left out."""

    title: str
    plots: tuple[Plot, ...]
    remarks: tuple[str, ...]


def write_explore(search: Search, path: Place) -> Place | None:
    """Writes the interactive plots of ``search`` to ``path`` and returns it.

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
    try:
        write_atomically(path, page)
    except OSError as error:
        raise ResultsError(
            f"the interactive plots cannot be written: {error.strerror}",
            where=str(path),
            remedy="Give another folder with --out",
        ) from None
    return path


def _parts(search: Search) -> Iterator[_Part]:
    from analysis import explore_plots
    from analysis.studies import rebuild

    studies = {arm: rebuild(search, arm, curves=True) for arm in search.arms}
    plots, remarks = explore_plots.across(search, studies)
    yield _Part(title="All arms", plots=plots, remarks=remarks)
    for arm, study in studies.items():
        plots, remarks = explore_plots.of_arm(search, study)
        yield _Part(title=arm, plots=plots, remarks=remarks)


def _page(search: Search, parts: tuple[_Part, ...], script: str) -> str:
    name = escape(str(search.get("name", default=search.root.name)))
    links = "".join(
        f'<li><a href="#part-{number}">{escape(part.title)}</a></li>'
        for number, part in enumerate(parts)
    )
    body = "".join(_section(number, part) for number, part in enumerate(parts))
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{name}: interactive plots</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n"
        f"<header><h1>{name}: interactive plots</h1>\n<p>{_INTRO}</p>\n"
        f"<p>{escape(_told(search))}</p></header>\n"
        f'<nav aria-label="Arms"><ul>{links}</ul></nav>\n<main>\n{body}</main>\n'
        f"<script>{script}</script>\n<script>{_DRAW}</script>\n</body>\n</html>\n"
    )


def _told(search: Search) -> str:
    better = "lower" if search.metric == "loss" else "higher"
    return (
        f"Values are each trial's best validation {search.metric_name}; {better} is better. "
        "Optuna numbers the trials of each arm anew, in the order of asking; its timeline tells "
        "the number that the report uses, as user attribute trial."
    )


def _section(number: int, part: _Part) -> str:
    remarks = "".join(f"<p>{escape(remark)}</p>\n" for remark in part.remarks)
    plots = "".join(
        _figure(f"plot-{number}-{place}", plot) for place, plot in enumerate(part.plots)
    )
    return (
        f'<section aria-labelledby="part-{number}">\n<h2 id="part-{number}">'
        f"{escape(part.title)}</h2>\n{remarks}{plots}</section>\n"
    )


def _figure(identifier: str, plot: Plot) -> str:
    # "</" would end the script element early; JSON may write it "<\/".
    data = plot.json.replace("</", "<\\/")
    return (
        f'<h3 id="{identifier}-title">{escape(plot.title)}</h3>\n<p>{escape(plot.words)}</p>\n'
        f'<div class="wide" tabindex="0" role="region" aria-labelledby="{identifier}-title">'
        f'<div class="plot" id="{identifier}" style="min-height: {plot.height}px"></div></div>\n'
        f'<script type="application/json" id="{identifier}-data">{data}</script>\n'
    )


_INTRO = (
    "Optuna's own plots of the studies that this search made, rebuilt from its records. They are "
    "for looking round: nothing here has an interval, and the verdict stands in the report. Drag "
    "to zoom, double-click to zoom out, click in a legend to hide."
)

#: In the dark the plots, colours of Optuna's own included, are turned over in lightness alone;
#: their white becomes the page's ground. Paper stays white.
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

#: Draws each figure shortly before it comes into view: hundreds of them at once are slow.
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
