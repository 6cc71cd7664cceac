"""Published figures of others, shown in grey beside ours. Exact match; None if a figure was not published.

Not measured here, and not under our conditions: their corpus is wiki-18 behind E5, their T counts actions
(`agent.turn_unit=action`). Source: ReSeek, arXiv 2510.00568, tables of its main results.
"""

from dataclasses import dataclass

from reseek.config.questions import KNOWN_SETS

SOURCE = "arXiv 2510.00568"
TURNS = 4
"""T of the published protocol, in actions."""


@dataclass(frozen=True)
class Published:
    """One row: per set (KNOWN_SETS) and the average over all eight."""

    method: str
    policy: str
    sets: dict[str, float]
    average: float


def _row(method: str, policy: str, average: float, *ems: float) -> Published:
    return Published(method, policy, dict(zip(KNOWN_SETS, ems, strict=True)) if ems else {}, average)


_7B, _3B = "Qwen2.5-7B-Instruct", "Qwen2.5-3B-Instruct"

PUBLISHED = (
    _row("direct inference", _7B, 0.158),
    _row("CoT", _7B, 0.093),
    _row("RAG", _7B, 0.267),
    _row("Search-o1", _7B, 0.183),
    _row("SFT", _7B, 0.181),
    _row("R1", _7B, 0.238),
    _row("ZeroSearch", _7B, 0.346),
    _row("Search-R1", _7B, 0.342),
    _row("ReSeek", _7B, 0.377, 0.469, 0.640, 0.501, 0.389, 0.382, 0.185, 0.392, 0.061),
    _row("ZeroSearch", _3B, 0.281),
    _row("Search-R1", _3B, 0.288),
    _row("ReSeek", _3B, 0.312, 0.415, 0.553, 0.434, 0.328, 0.298, 0.103, 0.304, 0.059),
)
