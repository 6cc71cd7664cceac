"""Curves and bars as SVG: exact match over turn budgets, judge impact, training curves.

Invariant: colours are distinguishable in every common form of colour blindness (Okabe and Ito's), and series also by
marker, line style or hatching; no name is read as markup; the same input gives the same bytes. A picture without data
is None, never an empty panel.
"""

import io
from collections.abc import Sequence
from itertools import cycle
from typing import Any

import matplotlib
from matplotlib.figure import Figure

from reseek.config.agent import TurnUnit
from reseek.evaluation.impact import Impact, shares
from reseek.evaluation.results import Evaluation
from reseek.report.published import PUBLISHED, TURNS
from reseek.report.runs import Training
from reseek.report.tables import labels
from reseek.run.terminal import plain

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
_GREY = "#777777"
_PUBLISHED_MARKERS = {"ReSeek": "*", "Search-R1": "<", "ZeroSearch": ">"}
_MOST_BARS = 24
_LONGEST_NAME = 64
_MARKERS, _LINES = "osD^vPX", ("-", "--", "-.", ":")
_IMPACT = {
    Impact.POSITIVE: ("#0072B2", ""),
    Impact.NEUTRAL: ("#DDDDDD", ""),
    Impact.NEGATIVE: ("#D55E00", "//"),
}
_STYLE: Any = {
    "text.parse_math": False,
    "svg.fonttype": "path",
    "svg.hashsalt": "reseek",
    "font.size": 9,
    "axes.spines.top": False,
    "axes.spines.right": False,
}
# Panels of a training run: title, then metric and legend of each line.
_PANELS = (
    ("exact match", (("step", "episodes/em", "training"), ("validated", "validation/em", "validation, greedy"))),
    (
        "reward",
        (
            ("step", "episodes/reward", "total"),
            ("step", "episodes/answer_reward", "answer"),
            ("step", "episodes/judge_reward", "judge"),
        ),
    ),
    (
        "verdicts",
        (
            ("step", "episodes/judge_accuracy", "accuracy"),
            ("step", "episodes/drop_rate", "drop rate"),
            ("step", "episodes/missing_verdicts", "missing, per episode"),
        ),
    ),
    ("searches per episode", (("step", "episodes/searches", ""),)),
    ("shares of episodes", (("step", "episodes/answered_rate", "answered"), ("step", "episodes/legal_rate", "legal"))),
    ("gradient norm", (("step", "actor/grad_norm", ""),)),
)


def budget_curves(runs: Sequence[Evaluation]) -> str | None:
    """Average exact match over the turn budget, a panel per turn unit; the published points only for `action`. None
    unless some runs differ only in their budget."""
    panels = {unit: _curves(runs, unit) for unit in TurnUnit}
    panels = {unit: curves for unit, curves in panels.items() if curves}
    if not panels:
        return None
    with matplotlib.rc_context(_STYLE):
        figure = Figure(figsize=(5.4 * len(panels), 4.2), layout="constrained")
        for axes, (unit, curves) in zip(figure.subplots(1, len(panels), squeeze=False)[0], panels.items(), strict=True):
            colours, markers, lines = cycle(COLOURS), cycle(_MARKERS), cycle(_LINES)
            ticks: set[int] = set()
            for number, (name, points) in enumerate(curves.items()):
                turns = [turn for turn, _, _, _ in points]
                ticks.update(turns)
                means = [em for _, em, _, _ in points]
                errors = [[em - low for _, em, low, _ in points], [high - em for _, em, _, high in points]]
                shift = 0.04 * (number - (len(curves) - 1) / 2)  # so that intervals do not hide each other
                axes.errorbar(
                    [turn + shift for turn in turns],
                    means,
                    errors,
                    color=next(colours),
                    marker=next(markers),
                    linestyle=next(lines),
                    capsize=3,
                    label=_name(name),
                )
            if unit is TurnUnit.ACTION:
                ticks.add(TURNS)
                for one in PUBLISHED:
                    if one.method in _PUBLISHED_MARKERS:
                        name = f"published: {one.method}, {one.policy.split('-')[1]}"
                        marker, fill = _PUBLISHED_MARKERS[one.method], "full" if "7B" in one.policy else "none"
                        axes.plot(TURNS, one.average, marker, color=_GREY, fillstyle=fill, label=name)
            axes.set(xlabel=f"turn budget ({unit.value})", ylabel="exact match, average", ylim=(0, None))
            axes.set_xticks(sorted(ticks))
            axes.margins(x=0.1)
            axes.legend(fontsize=7.5, loc="upper center", bbox_to_anchor=(0.5, -0.16), ncols=2)
        return _svg(figure)


def _name(text: str) -> str:
    """A name, shortened to fit into a picture."""
    shown = plain(text)
    return shown if len(shown) <= _LONGEST_NAME else f"{shown[: _LONGEST_NAME - 1]}…"


Point = tuple[int, float, float, float]
"""Turns, exact match, and its interval's bounds."""


def _curves(runs: Sequence[Evaluation], unit: TurnUnit) -> dict[str, list[Point]]:
    """Runs that differ only in their budget, by name; only groups of at least two budgets."""
    groups: dict[str, dict[int, Evaluation]] = {}
    names: dict[str, str] = {}
    for run, label in zip(runs, labels(runs), strict=True):
        if run.conditions.agent.turn_unit is unit:
            agent = run.conditions.agent.model_copy(update={"max_turns": 1})
            key = run.conditions.model_copy(update={"agent": agent}).hash
            groups.setdefault(key, {})[run.conditions.agent.max_turns] = run
            names.setdefault(key, f"{run.policy}, {run.method}" if "," not in label[1] else f"{label[0]}, {label[1]}")
    curves = {}
    for key, by_turns in groups.items():
        points = []
        for turns, run in sorted(by_turns.items()):
            average = run.report.average
            if average.em is not None and average.em_interval is not None:
                points.append((turns, average.em, average.em_interval.low, average.em_interval.high))
        if len(points) > 1:
            curves[names[key]] = points
    return curves


def impact_bars(runs: Sequence[Evaluation]) -> str | None:
    """Shares of positive, neutral and negative steps: a bar per run and set, or per run if those are too many."""
    bars = []
    pooled = sum(len(run.steps) for run in runs) > _MOST_BARS
    for run, label in zip(runs, labels(runs), strict=True):
        by_set = {"all sets": [s for steps in run.steps.values() for s in steps]} if pooled else run.steps
        for name, steps in by_set.items():
            counted = shares(steps)
            if counted.steps:
                who = f"{', '.join(label)}: " if len(runs) > 1 else ""
                bars.append((_name(f"{who}{name}"), counted))
    if not bars:
        return None
    with matplotlib.rc_context(_STYLE):
        figure = Figure(figsize=(9, 1.3 + 0.34 * len(bars)), layout="constrained")
        axes = figure.subplots()
        names = [f"{name} (n {counted.steps})" for name, counted in bars]
        left = [0.0] * len(bars)
        for impact, (colour, hatch) in _IMPACT.items():
            widths = [counted.share(impact) or 0.0 for _, counted in bars]
            drawn = axes.barh(
                range(len(bars)), widths, left=left, color=colour, hatch=hatch, edgecolor="white", label=impact.value
            )
            dark = impact is not Impact.NEUTRAL
            texts = [f"{width:.0%}" if width >= 0.06 else "" for width in widths]
            for text in axes.bar_label(drawn, texts, label_type="center", color="white" if dark else "black"):
                if hatch:
                    text.set(color="black", bbox={"facecolor": "white", "edgecolor": "none", "pad": 1.5})
            left = [start + width for start, width in zip(left, widths, strict=True)]
        axes.set(yticks=range(len(bars)), yticklabels=names, xlim=(0, 1), xlabel="share of judged steps")
        axes.invert_yaxis()
        axes.legend(ncols=3, loc="lower center", bbox_to_anchor=(0.5, 1.0), frameon=False)
        return _svg(figure)


def training_curves(run: Training) -> str | None:
    """The logged metrics of a training run by step."""
    panels = []
    for title, series in _PANELS:
        lines = [(name, *_series(run, phase, metric)) for phase, metric, name in series]
        lines = [(name, steps, values) for name, steps, values in lines if steps]
        if lines:
            panels.append((title, lines))
    if not panels:
        return None
    with matplotlib.rc_context(_STYLE):
        rows = -(-len(panels) // 3)
        figure = Figure(figsize=(11, 2.7 * rows), layout="constrained")
        grid = figure.subplots(rows, min(3, len(panels)), squeeze=False).flat
        for axes, (title, lines) in zip(grid, panels, strict=False):
            for (name, steps, values), colour, marker in zip(lines, COLOURS, _MARKERS, strict=False):
                axes.plot(steps, values, color=colour, marker=marker, markersize=3, label=name)
            axes.set(title=title, xlabel="step")
            axes.xaxis.get_major_locator().set_params(integer=True)
            if len(lines) > 1:
                axes.legend(fontsize=7.5)
        for axes in figure.axes[len(panels) :]:
            axes.remove()
        return _svg(figure)


def _series(run: Training, phase: str, metric: str) -> tuple[list[float], list[float]]:
    logged = [record for record in run.metrics.get(phase, ()) if record.get(metric) is not None]
    return [record["step"] for record in logged], [record[metric] for record in logged]


def _svg(figure: Figure) -> str:
    out = io.StringIO()
    figure.savefig(out, format="svg", metadata={"Date": None})
    return out.getvalue()
