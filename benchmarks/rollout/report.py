"""The measurements as a table for people and one JSON object for programs."""

from statistics import median
from typing import Any

from rich.table import Table

from benchmarks.rollout.measure import Duel, Strategy, Taken

GOALS = {"vs_turn_synchronous_200ms": 1.5, "vs_engine_limit_0ms": 0.9}
_PREFIX = {Strategy.TURN_SYNCHRONOUS: "vs_turn_synchronous", Strategy.ENGINE_LIMIT: "vs_engine_limit"}
_TEXT_COLUMNS = ("search latency", "strategy")
_NUMBER_COLUMNS = (
    "episodes",
    "sampled tokens",
    "median s",
    "of CPU",
    "tokens/s",
    "ours is faster by",
    "lowest-highest",
    "n",
)


def key_of(duel: Duel) -> str:
    """`vs_turn_synchronous_200ms`, `vs_turn_synchronous_constant_200ms`, `vs_engine_limit_0ms`."""
    constant = "constant_" if duel.latency.spread == 0 and duel.latency.mean_s else ""
    return f"{_PREFIX[duel.other]}_{constant}{duel.latency.mean_s * 1000:.0f}ms"


def table(duels: list[Duel], own_ms: float, in_flight: int) -> Table:
    """One line per strategy and latency; our speed over the other's is in the other's line."""
    own = f"An episode's own cost, with an engine that answers at once: {own_ms:.3f} ms of CPU"
    result = Table(title=f"{in_flight} episodes in flight", caption=own, caption_justify="left")
    for header in _TEXT_COLUMNS:
        result.add_column(header)
    for header in _NUMBER_COLUMNS:
        result.add_column(header, justify="right")
    for duel in duels:
        tokens = duel.workload.sampled_tokens
        for strategy, taken in ((Strategy.ASYNCHRONOUS, duel.ours), (duel.other, duel.others)):
            middle = median(run.seconds for run in taken)
            row = [duel.latency.name, strategy.value, str(len(duel.workload.episodes)), f"{tokens:,}"]
            row += [f"{middle:.2f}", f"{median(run.cpu_seconds for run in taken):.2f}", f"{tokens / middle:,.0f}"]
            if strategy is duel.other:
                lowest_highest = f"{min(duel.speedups):.2f}-{max(duel.speedups):.2f}"
                row += [f"{duel.speedup:.2f} x", lowest_highest, str(len(taken))]
            result.add_row(*row)
        result.add_section()
    return result


def summary(duels: list[Duel], own_ms: float, facts: dict[str, Any]) -> dict[str, Any]:
    """The ratios under their keys, the episodes' own cost, the times behind them, and `facts` of the run."""
    return {
        "benchmark": "rollout",
        **{key_of(duel): round(duel.speedup, 3) for duel in duels},
        "own_ms_per_episode": round(own_ms, 3),
        "goals": GOALS,
        "measured": {key_of(duel): _measured(duel) for duel in duels},
        **facts,
    }


def _measured(duel: Duel) -> dict[str, Any]:
    return {
        "episodes": len(duel.workload.episodes),
        "calls": duel.workload.calls,
        "searches": duel.workload.searches,
        "sampled_tokens": duel.workload.sampled_tokens,
        "asynchronous": _runs(duel.ours),
        duel.other.name.lower(): _runs(duel.others),
        "speedups": [round(speedup, 3) for speedup in duel.speedups],
    }


def _runs(taken: tuple[Taken, ...]) -> dict[str, list[float]]:
    return {
        "seconds": [round(run.seconds, 3) for run in taken],
        "cpu_seconds": [round(run.cpu_seconds, 3) for run in taken],
    }
