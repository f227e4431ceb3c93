"""A reference as one page of pictures that needs no network.

Decides what a person sees of each kind of column. Refuses to know what a page is made of
(``plot_page.py``).
"""

from collections.abc import Iterator, Sequence
from html import escape
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np

from stream_app.adapters.drift.plot_page import (
    BLUE,
    GREY,
    LINES,
    ORANGE,
    page,
    plotly_source,
    write,
)
from stream_app.adapters.drift.reference_file import StoredReference
from stream_app.core.drift.histogram import Histogram, histogram_of
from stream_app.core.drift.reference import SCORE_BINS, Apart, Column, Kind, Reference, ScoreMap

_MOST_NAMES = 15
_NAME_LETTERS = 24
_CLEAR, _MIDDLE = "rgba(0,0,0,0)", "#7b8794"
_GRID = {"gridcolor": "rgba(128,128,128,0.25)", "zerolinecolor": "rgba(128,128,128,0.4)"}
_LEGEND = {"orientation": "h", "y": 1.12, "x": 1, "xanchor": "right"}


def write_page(path: Path, stored: StoredReference, told: Sequence[str]) -> None:
    """Write the page; ``told`` are its first lines.

    Raises:
        ConfigError: Plotly is not installed, or the file cannot be written.
    """
    scripts = [plotly_source()]
    write(path, page(f"Reference {stored.id}", _body(stored, told), scripts, more_scripts=True))


def _body(stored: StoredReference, told: Sequence[str]) -> Iterator[str]:
    reference = stored.reference
    yield f"<h1>{escape(reference.model_name)} version {escape(reference.model_version)}</h1>"
    yield from (f"<p>{escape(line)}</p>" for line in told)
    for role, title in (("input", "What the model was given"), ("output", "What it answered")):
        columns = [column for column in reference.columns if column.origin.role.value == role]
        if columns:
            yield f'<h2>{title}</h2><div class="cards">'
            yield from (_card(column, reference.rows) for column in columns)
            yield "</div>"
    together = [*_correlation(reference), *_scores(reference.scores)]
    if together:
        yield '<h2>Together</h2><div class="cards">'
        yield from together
        yield "</div>"


def _card(column: Column, rows: int) -> str:
    told = []
    moments = column.moments
    if moments is not None:
        told.append(
            f"mean {moments.mean:.6g}, sd {moments.sd:.6g}, "
            f"from {moments.least:.6g} to {moments.greatest:.6g}"
        )
    missing = column.apart[: Apart.CLIPPED]
    for place, count in zip(Apart, missing.tolist(), strict=False):
        if count:
            told.append(f"{place.name.lower().replace('_', ' ')} {count / rows:.2%}")
    if not column.valid:
        return _panel(column.name, "no value at all", "")
    if column.kind is Kind.NUMERIC:
        histogram = histogram_of(column)
        if histogram.outside:
            told.append(f"{histogram.outside:.1%} of values are outside of the picture")
        return _panel(column.name, "; ".join(told), _bars_of(histogram))
    names, shares = _frequencies(column)
    told.append(f"{len(names)} values")
    figure = _names_figure(names, shares) if column.kind is Kind.CATEGORY else _discrete(column)
    return _panel(column.name, "; ".join(told), figure)


def _bars_of(histogram: Histogram) -> str:
    edges = histogram.edges
    middles = (edges[:-1] + edges[1:]) / 2
    labels = [f"{low:.6g} to {high:.6g}" for low, high in pairwise(edges)]
    traces = [_bars(middles, histogram.spread, labels, "between", BLUE, edges[1] - edges[0])]
    if histogram.single.any():
        own = _bars(
            middles, histogram.single, labels, "a single value", ORANGE, edges[1] - edges[0]
        )
        traces.append(own)
    return _figure(traces, barmode="stack", showlegend=len(traces) > 1)


def _bars(x: Any, y: Any, labels: list[str], name: str, colour: str, width: float) -> Any:
    return {
        "type": "bar",
        "x": list(x),
        "y": list(y),
        "customdata": labels,
        "name": name,
        "marker": {"color": colour},
        "width": float(width),
        "hovertemplate": "%{customdata}: %{y:.2%}<extra></extra>",
    }


def _discrete(column: Column) -> str:
    values = [f"{value:g}" for value in column.values]
    trace = {
        "type": "bar",
        "x": values,
        "y": (column.counts[: len(values)] / column.valid).tolist(),
        "marker": {"color": BLUE},
        "width": min(0.85, len(values) / 8),
        "hovertemplate": "%{x}: %{y:.2%}<extra></extra>",
    }
    return _figure([trace], xaxis={"type": "category"})


def _frequencies(column: Column) -> tuple[list[str], list[float]]:
    listed = column.names if column.kind is Kind.CATEGORY else [f"{v:g}" for v in column.values]
    names = [*listed, "(other)", "(unseen)"]
    pairs = zip(names, (column.counts / column.valid).tolist(), strict=True)
    found = sorted(((n, s) for n, s in pairs if s), key=lambda pair: -pair[1])
    return [name for name, _ in found], [share for _, share in found]


def _names_figure(names: list[str], shares: list[float]) -> str:
    shown, rest = names[:_MOST_NAMES], sum(shares[_MOST_NAMES:])
    colours = [BLUE] * len(shown)
    heights = shares[:_MOST_NAMES]
    if rest:
        shown, heights = [*shown, f"{len(names) - _MOST_NAMES} more"], [*heights, rest]
        colours.append(GREY)
    trace = {
        "type": "bar",
        "orientation": "h",
        "x": heights[::-1],
        "y": list(range(len(shown))),
        "customdata": shown[::-1],
        "marker": {"color": colours[::-1]},
        "hovertemplate": "%{customdata}: %{x:.2%}<extra></extra>",
    }
    short = [n if len(n) <= _NAME_LETTERS else n[: _NAME_LETTERS - 1] + "…" for n in shown[::-1]]
    # By place, not by name: two long names may look the same when they are cut.
    yaxis = {"tickvals": list(range(len(shown))), "ticktext": [escape(n) for n in short]}
    return _figure([trace], xaxis={"tickformat": ".0%"}, yaxis={**yaxis, "automargin": True})


def _correlation(reference: Reference) -> Iterator[str]:
    width = len(reference.correlated)
    if width < 2 or not reference.co_rows:
        return
    square = np.zeros((width, width))
    square[np.triu_indices(width)] = reference.co_moments
    square = square + np.triu(square, 1).T
    scale = np.sqrt(np.maximum(np.diag(square), 1.0))
    names = [escape(reference.columns[index].name) for index in reference.correlated]
    trace = {
        "type": "heatmap",
        "z": (square / np.outer(scale, scale)).tolist(),
        "x": names,
        "y": names,
        "zmin": -1,
        "zmax": 1,
        "colorscale": "RdBu",
        "reversescale": True,
        "hovertemplate": "%{x}, %{y}: %{z:.3f}<extra></extra>",
    }
    axis = {"automargin": True, "showticklabels": width <= _MOST_NAMES}
    yaxis = {**axis, "autorange": "reversed", "tickformat": ""}
    told = f"of {width} columns, over {reference.co_rows:,} rows"
    yield _panel("Correlation", told, _figure([trace], xaxis=axis, yaxis=yaxis))


def _scores(scores: ScoreMap | None) -> Iterator[str]:
    if scores is None:
        return
    middles = (np.arange(SCORE_BINS) + 0.5) / SCORE_BINS
    traces = []
    for place, label in enumerate(scores.labels):
        probability, held = scores.probability[place], scores.counts[place] > 0
        traces.append(
            {
                "type": "scatter",
                "mode": "lines",
                "x": middles[held].tolist(),
                "y": probability[held].tolist(),
                "name": escape(f"predicted {label}"),
                "line": {"color": LINES[place % len(LINES)]},
                "hovertemplate": "score %{x:.3f}: right %{y:.1%}<extra></extra>",
            }
        )
    traces.append(
        {
            "type": "scatter",
            "mode": "lines",
            "x": [0, 1],
            "y": [0, 1],
            "name": "score taken at its word",
            "line": {"color": GREY, "dash": "dot"},
            "hoverinfo": "skip",
        }
    )
    total = int(scores.counts.sum())
    told = f"{total:,} rows with a label, {int(scores.right.sum()) / max(1, total):.2%} right"
    xaxis = {"title": {"text": "score of the predicted class"}}
    legend = {"x": 1, "xanchor": "right", "y": 0, "yanchor": "bottom"}
    figure = _figure(traces, xaxis=xaxis, showlegend=True, legend=legend)
    yield _panel("How often a score is right", told, figure)


def _panel(title: str, told: str, figure: str) -> str:
    return f'<div class="card"><h3>{escape(title)}</h3><p>{escape(told)}</p>{figure}</div>'


def _figure(
    traces: list[Any],
    *,
    xaxis: dict[str, Any] | None = None,
    yaxis: dict[str, Any] | None = None,
    **layout: Any,
) -> str:
    from plotly.graph_objects import Figure  # noqa: PLC0415  # an extra, and slow to import

    figure = Figure(data=traces)
    figure.update_layout(
        height=260,
        margin={"l": 48, "r": 12, "t": 8, "b": 34},
        template="plotly_white",
        # Readable on white and on black: a figure made here knows not which it will be.
        paper_bgcolor=_CLEAR,
        plot_bgcolor=_CLEAR,
        font={"color": _MIDDLE},
        bargap=0.15,
        xaxis={**_GRID, **(xaxis or {})},
        yaxis={**_GRID, **(yaxis or {"tickformat": ".0%", "rangemode": "tozero"})},
        **{"showlegend": False, "legend": _LEGEND, **layout},
    )
    html: str = figure.to_html(
        full_html=False,
        include_plotlyjs=False,
        config={"displayModeBar": False, "responsive": True},
    )
    return html
