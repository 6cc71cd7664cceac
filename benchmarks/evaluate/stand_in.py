"""Episodes as an evaluation that was never written to a folder, for the viewer to show."""

from collections.abc import Sequence
from pathlib import Path

from benchmarks.evaluate.planned import SET
from reseek.config.oracle import OracleConfig
from reseek.config.rewards import RewardConfig
from reseek.evaluation.conditions import Conditions
from reseek.evaluation.results import Evaluation
from reseek.micro.demonstrations import MICRO_AGENT
from reseek.rollout.records import EpisodeRecord


def stand_in(records: Sequence[EpisodeRecord]) -> Evaluation:
    """An evaluation of these episodes."""
    conditions = Conditions(
        policy="micro",
        weights=None,
        chat_template=None,
        dtype="float32",
        engine="planned",
        temperature=0.0,
        seed=0,
        retriever="planned",
        noise=0.0,
        k1=None,
        b=None,
        encoder=None,
        corpus="planned",
        passages=None,
        agent=MICRO_AGENT,
        oracle=OracleConfig(threshold=0.5),
        rewards=RewardConfig(),
    )
    return Evaluation(Path("benchmark"), "benchmark", conditions, {SET: records}, {}, {})
