"""The benchmark's tables and its JSON.

Invariant: a goal is judged by the worst of all cases.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from rich.table import Table

from benchmarks.train_tokens.count import Counts
from benchmarks.train_tokens.play import Turns
from benchmarks.train_tokens.setups import Setup
from reseek.config.agent import ContextPolicy

GOAL = 1.05


@dataclass(frozen=True)
class Case:
    """The conditions and counts of one measurement."""

    setup: Setup
    turns: Turns
    context: ContextPolicy
    no_rate: float
    counts: Counts

    @property
    def fed_over_segments(self) -> float:
        """In the mode that the setup's configuration uses."""
        counts = self.counts
        return counts.fed_over_segments_packed if self.setup.packs else counts.fed_over_segments_padded


def table(setup: Setup, cases: Iterable[Case]) -> Table:
    """One setup's cases, one line each."""
    work = setup.workload
    mode = "packed" if setup.packs else "padded"
    shown = Table(
        title=f"{setup.name}: {work.questions} questions x {work.sessions} sessions, T = {work.agent.max_turns}",
        caption=f"{setup.workers} worker(s), {setup.steps} optimiser step(s), micro-batches of {setup.forward_tokens} "
        f"tokens; this configuration feeds them {mode}. fed: tokens fed / segments",
    )
    for header in ("searches", "context", "No-rate"):
        shown.add_column(header)
    counted = ("rows", "synthetic", "sampled", "segments", "unique")
    for header in (*counted, "segments/unique", "fed packed", "fed padded", "balanced"):
        shown.add_column(header, justify="right")
    for case in cases:
        counts = case.counts
        shown.add_row(
            case.turns.value,
            case.context.value,
            f"{case.no_rate:g}",
            str(counts.rows),
            str(counts.fed.padding_rows),
            f"{counts.sampled:,}",
            f"{counts.segments:,}",
            f"{counts.unique:,}",
            f"{counts.segments_over_unique:.3f}",
            f"{counts.fed_over_segments_packed:.4f}",
            f"{counts.fed_over_segments_padded:.3f}",
            f"{counts.fed_over_segments_balanced:.3f}",
            end_section=case.no_rate == 1.0,
        )
    return shown


def summary(cases: Sequence[Case], *, quick: bool, seed: int) -> dict[str, Any]:
    """The JSON: the worst ratios, `segments_over_unique` of the paper's setup with all T searches, and every case."""
    worst = max(cases, key=lambda case: case.fed_over_segments)
    ratios: dict[str, dict[str, float]] = {}
    for case in cases:
        if case.setup.name == "paper" and case.turns is Turns.ALL:
            ratios.setdefault(case.context.value, {})[f"{case.no_rate:g}"] = round(case.counts.segments_over_unique, 4)
    return {
        "benchmark": "train_tokens",
        "quick": quick,
        "seed": seed,
        "fed_over_segments": round(worst.fed_over_segments, 4),
        "fed_over_segments_of": worst.setup.name,
        "fed_over_segments_packed": round(max(case.counts.fed_over_segments_packed for case in cases), 4),
        "fed_over_segments_padded": round(max(case.counts.fed_over_segments_padded for case in cases), 4),
        "fed_over_segments_balanced": round(max(case.counts.fed_over_segments_balanced for case in cases), 4),
        "goal": GOAL,
        "goal_met": worst.fed_over_segments <= GOAL,
        "segments_over_unique": ratios,
        "cases": [_plain(case) for case in cases],
    }


def verdict(result: dict[str, Any]) -> str:
    """One line: whether the goal is met, and the worst case."""
    met = "met" if result["goal_met"] else "missed"
    return (
        f"fed/segments, worst case: {result['fed_over_segments']:.3f} ({result['fed_over_segments_of']}); "
        f"goal <= {result['goal']}: {met}. If all packed: {result['fed_over_segments_packed']:.3f}, "
        f"if all padded: {result['fed_over_segments_padded']:.3f}; padded and balanced by verl: "
        f"{result['fed_over_segments_balanced']:.3f}."
    )


def _plain(case: Case) -> dict[str, Any]:
    counts = case.counts
    return {
        "setup": case.setup.name,
        "packs": case.setup.packs,
        "searches": case.turns.value,
        "context": case.context.value,
        "no_rate": case.no_rate,
        "sessions": counts.sessions,
        "rows": counts.rows,
        "synthetic_rows": counts.fed.padding_rows,
        "sampled_tokens": counts.sampled,
        "segment_tokens": counts.segments,
        "unique_prefix_tokens": counts.unique,
        "segments_over_unique": round(counts.segments_over_unique, 4),
        "fed_over_segments_packed": round(counts.fed_over_segments_packed, 4),
        "fed_over_segments_padded": round(counts.fed_over_segments_padded, 4),
        "fed_over_segments_balanced": round(counts.fed_over_segments_balanced, 4),
    }
