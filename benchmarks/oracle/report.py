"""The report of a measurement: a table, and the JSON. Pure."""

from collections.abc import Sequence
from typing import Any

from rich.table import Table

from benchmarks.oracle.measure import Measured
from reseek.config.oracle import OracleConfig

GOAL = 5.0


def ratio(measured: Measured) -> float:
    """How many times faster ours is than one call each, in the first epoch."""
    return measured.one_call_each_s / measured.ours_s


def table(config: OracleConfig, sessions: int, rounds: Sequence[Measured]) -> Table:
    one = rounds[0]
    shown = Table(
        title=f"{config.name}, {config.pair.value}, {config.unit.value}: {one.observations:,} observations of "
        f"{sessions:,} sessions, {one.pairs:,} pairs, {one.distinct:,} different",
        caption=f"verdicts equal: {one.verdicts_equal:,} of {one.verdicts:,}; scores differ by at most "
        f"{one.largest_difference:.1e}",
    )
    for header in ("", "seconds", "CPU s", "observations/s", "model calls"):
        shown.add_column(header, justify="left" if not header else "right")
    for one in rounds:
        for name, seconds, cores, calls in (
            ("one call per observation", one.one_call_each_s, one.one_call_each_cpu_s, one.verdicts),
            ("ours", one.ours_s, one.ours_cpu_s, one.batches),
            ("ours, second epoch (from disk)", one.second_epoch_s, None, 0),
        ):
            shown.add_row(
                name,
                f"{seconds:.2f}",
                "" if cores is None else f"{cores:.2f}",
                f"{one.observations / seconds:,.1f}",
                f"{calls:,}",
            )
    return shown


def summary(config: OracleConfig, rounds: Sequence[Measured], **about: Any) -> dict[str, Any]:
    """The JSON: ratios per round, their median, and what was scored."""
    ratios = sorted(ratio(one) for one in rounds)
    one, middle = rounds[0], len(rounds) // 2
    return {
        "benchmark": "oracle",
        **about,
        "oracle": config.name,
        "pair": config.pair.value,
        "unit": config.unit.value,
        "threshold": config.threshold,
        "vs_one_call_each": round(ratios[middle], 2),
        "vs_one_call_each_cpu": round(sorted(one.one_call_each_cpu_s / one.ours_cpu_s for one in rounds)[middle], 2),
        "vs_one_call_each_rounds": [round(value, 2) for value in ratios],
        "goal": GOAL,
        "goal_met": ratios[middle] >= GOAL,
        "verdicts_equal": all(one.verdicts_equal == one.verdicts for one in rounds),
        "verdicts": one.verdicts,
        "verdicts_different": max(one.verdicts - one.verdicts_equal for one in rounds),
        "largest_difference": max(one.largest_difference for one in rounds),
        "second_epoch_vs_one_call_each": round(
            sorted(one.one_call_each_s / one.second_epoch_s for one in rounds)[middle], 1
        ),
        "observations": one.observations,
        "pairs": one.pairs,
        "distinct_pairs": one.distinct,
        "scored_pairs": one.scored,
    }
