"""The measurements as a table, a picture and one JSON object."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.table import Table
from scipy.stats import binomtest

from benchmarks.learning.curves import Kind, Measured, Point, Result

GOAL_GAIN, GOAL_MINUTES = 0.15, 10.0
_COLOURS = {Kind.LEARNING: "#0072B2", Kind.ORDINARY: "#D55E00", Kind.PART: "#CC79A7", Kind.CONTROL: "#777777"}
_CONTROL_STYLES = (":", "--", "-.", (0, (1, 4)))


def table(results: Sequence[Result], capable: Measured) -> Table:
    """One line per run: test EM before and after with intervals, judge accuracy, minutes."""
    made = Table(title=f"{capable.questions} test questions, greedy, before and after training")
    made.add_column("run")
    for header in ("EM before", "EM after", "gain", "judge acc", "searches", "minutes", "of steps"):
        made.add_column(header, justify="right")
    for result in results:
        made.add_row(
            result.curve.name,
            _cell(result.before),
            _cell(result.after),
            f"{result.gain:+.3f}" + (" *" if result.apart else ""),
            f"{result.before.judge_accuracy:.3f} > {result.after.judge_accuracy:.3f}",
            f"{result.before.searches:.2f} > {result.after.searches:.2f}",
            f"{result.minutes:.1f}",
            f"{result.stepping_minutes:.1f}",
        )
    made.add_row("capable, not handicapped", _cell(capable), "", "", f"{capable.judge_accuracy:.3f}", "", "", "")
    made.caption = "* intervals before and after don't overlap"
    return made


def _cell(measured: Measured) -> str:
    return f"{measured.em:.3f} [{measured.low:.3f}, {measured.high:.3f}]"


def summary(
    results: Sequence[Result], capable: Measured, turns: Mapping[int, Measured], facts: dict[str, Any]
) -> dict[str, Any]:
    """The lists over seeds under their keys, the other runs by name, and `facts` of the benchmark."""
    learning = [result for result in results if result.curve.kind is Kind.LEARNING]
    minutes = [round(result.minutes, 2) for result in learning]
    return {
        "benchmark": "learning",
        "em_before": [result.before.em for result in learning],
        "em_after": [result.after.em for result in learning],
        "minutes": minutes,
        "stepping_minutes": [round(result.stepping_minutes, 2) for result in learning],
        "intervals_before": [[result.before.low, result.before.high] for result in learning],
        "intervals_after": [[result.after.low, result.after.high] for result in learning],
        "goals": {"gain": GOAL_GAIN, "minutes": GOAL_MINUTES, "intervals": "apart"},
        "goals_met": [
            result.gain >= GOAL_GAIN and result.apart and result.minutes <= GOAL_MINUTES for result in learning
        ],
        "others": {result.curve.name: _numbers(result) for result in results if result not in learning},
        "em_capable": [capable.em, capable.low, capable.high],
        "em_by_turns": {str(budget): [m.em, m.low, m.high] for budget, m in turns.items()},
        **facts,
    }


def _numbers(result: Result) -> dict[str, Any]:
    return {
        "em_before": result.before.em,
        "em_after": result.after.em,
        "gain": round(result.gain, 3),
        "apart": result.apart,
        "judge_accuracy": [round(m.judge_accuracy, 3) for m in (result.before, result.after)],
        "minutes": round(result.minutes, 2),
    }


def interval(point: Point) -> tuple[float, float]:
    """Wilson's 95 % interval of a validation's EM."""
    found = binomtest(round(point.em * point.questions), point.questions).proportion_ci(method="wilson")
    return float(found.low), float(found.high)


def draw(results: Sequence[Result], capable: Measured, path: Path) -> None:
    """The validation curves with intervals, the capable checkpoint's EM as a line; below, judge accuracy."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    figure, (upper, lower) = pyplot.subplots(2, 1, figsize=(8, 8), sharex=True, height_ratios=(3, 2))
    controls = [result for result in results if result.curve.kind is Kind.CONTROL]
    for result in results:
        kind, steps = result.curve.kind, [point.step for point in result.points]
        style = _CONTROL_STYLES[controls.index(result) % len(_CONTROL_STYLES)] if result in controls else "-"
        options = {"color": _COLOURS[kind], "linestyle": style, "label": _label(result)}
        upper.plot(steps, [point.em for point in result.points], marker=".", **options)
        lower.plot(steps, [point.judge_accuracy for point in result.points], marker=".", **options)
        if kind is not Kind.CONTROL:
            lows, highs = zip(*(interval(point) for point in result.points), strict=True)
            upper.fill_between(steps, lows, highs, color=_COLOURS[kind], alpha=0.12, linewidth=0)
    upper.axhline(capable.em, color="#009E73", linewidth=1, label="capable checkpoint (test questions)")
    upper.set_ylabel("exact match, validation questions")
    lower.set_ylabel("judge accuracy")
    lower.set_xlabel("GRPO step")
    for axes in (upper, lower):
        axes.set_ylim(0, 1)
        axes.grid(alpha=0.3)
    upper.legend(fontsize=8, loc="center left", bbox_to_anchor=(1.01, 0.5))
    figure.suptitle("Validation during training (bands: 95 %); grey: controls")
    figure.savefig(path, dpi=120, bbox_inches="tight")
    pyplot.close(figure)


def _label(result: Result) -> str:
    start = "from the lazy start, " if result.curve.kind is Kind.LEARNING else ""
    return start + result.curve.name
