"""The measurements as a table for people and one JSON object for programs. Knows nothing of how they were made."""

from statistics import median
from typing import Any

from rich.table import Table

from benchmarks.rollout.measure import Duel, Strategy
from benchmarks.rollout.workload import Workload

GOALS = {"vs_turn_synchronous_200ms": 1.5, "vs_engine_limit_0ms": 0.85}
_PREFIX = {Strategy.TURN_SYNCHRONOUS: "vs_turn_synchronous", Strategy.ENGINE_LIMIT: "vs_engine_limit"}


def key_of(duel: Duel) -> str:
    """`vs_turn_synchronous_200ms`, `vs_turn_synchronous_constant_200ms`, `vs_engine_limit_0ms`."""
    constant = "constant_" if duel.latency.spread == 0 and duel.latency.mean_s else ""
    return f"{_PREFIX[duel.other]}_{constant}{duel.latency.mean_s * 1000:.0f}ms"


def table(duels: list[Duel], workload: Workload, in_flight: int) -> Table:
    """One line a strategy and latency; our speed over the other's where it is the other's line."""
    tokens = workload.sampled_tokens
    result = Table(
        title=f"{len(workload.episodes)} episodes, {in_flight} in flight: {workload.calls:,} calls, {tokens:,} sampled"
        f" tokens, {workload.searches:,} searches each"
    )
    for header in ("search latency", "strategy", "median s", "tokens/s", "ours is faster by", "lowest-highest", "n"):
        result.add_column(header, justify="left" if header in ("search latency", "strategy") else "right")
    for duel in duels:
        for strategy, seconds in ((Strategy.ASYNCHRONOUS, duel.ours), (duel.other, duel.others)):
            middle = median(seconds)
            row = [duel.latency.name, strategy.value, f"{middle:.2f}", f"{tokens / middle:,.0f}", "", "", ""]
            if strategy is duel.other:
                spread = f"{min(duel.speedups):.2f}-{max(duel.speedups):.2f}"
                row[4:] = [f"{duel.speedup:.2f} x", spread, str(len(seconds))]
            result.add_row(*row)
        result.add_section()
    return result


def summary(duels: list[Duel], workload: Workload, facts: dict[str, Any]) -> dict[str, Any]:
    """The ratios under their keys, what they were taken from, and `facts` of the run."""
    return {
        "benchmark": "rollout",
        **{key_of(duel): round(duel.speedup, 3) for duel in duels},
        "goals": GOALS,
        "speedups": {key_of(duel): [round(speedup, 3) for speedup in duel.speedups] for duel in duels},
        "seconds": {
            key_of(duel): {
                "asynchronous": [round(seconds, 3) for seconds in duel.ours],
                duel.other.name.lower(): [round(seconds, 3) for seconds in duel.others],
            }
            for duel in duels
        },
        "episodes": len(workload.episodes),
        "calls": workload.calls,
        "searches": workload.searches,
        "sampled_tokens": workload.sampled_tokens,
        **facts,
    }
