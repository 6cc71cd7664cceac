"""One oracle per node under Ray: the agent workers of a node share its model, its batches and its known scores.

The actor is named after the node and the configuration; the first worker that needs it creates it. It belongs to the
run and ends with it. If it dies (or its creator does) the next worker that needs it creates it again. Invariant: a
score or ScoringFailed, as from an oracle in the process.
"""

import hashlib
from collections.abc import Sequence
from typing import Any

import ray
from ray.exceptions import RayActorError
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from reseek.agent.observation import Observation
from reseek.config.oracle import OracleConfig
from reseek.errors import InputError, ScoringFailed
from reseek.oracle import Oracle, make_oracle
from reseek.questions.record import Question

_EPISODES_AT_ONCE = 10_000
_ATTEMPTS = 3


@ray.remote(num_cpus=0)
class OracleActor:
    """The node's oracle. An asynchronous actor: the requests that wait together are scored together."""

    def __init__(self, config: OracleConfig) -> None:
        self._oracle = make_oracle(config)

    async def score(self, question: Question, observations: list[Observation]) -> list[float | None]:
        return await self._oracle.score(question, observations)


class SharedOracle:
    """An `Oracle`: the one of the node on which this process runs."""

    def __init__(self, config: OracleConfig) -> None:
        self.config = config
        self._actor: Any = None

    async def score(self, question: Question, observations: Sequence[Observation]) -> list[float | None]:
        for attempt in range(_ATTEMPTS):
            try:
                if self._actor is None:
                    self._actor = _actor_of_node(self.config)
                return await self._actor.score.remote(question, list(observations))
            except (ScoringFailed, InputError) as failure:  # Ray's own kind of them, with a traceback in its message
                raise getattr(failure, "cause", failure) from None
            except RayActorError as failure:
                self._actor = None
                if attempt + 1 == _ATTEMPTS:
                    raise ScoringFailed(f"the oracle of this node died: {str(failure).splitlines()[0]}") from failure
        raise AssertionError("unreachable")


def oracle_for(config: OracleConfig) -> Oracle:
    """The oracle of an agent worker: its own, or, with `shared`, its node's."""
    return SharedOracle(config) if config.shared else make_oracle(config)


def _actor_of_node(config: OracleConfig):
    node = ray.get_runtime_context().get_node_id()
    digest = hashlib.sha256(config.model_dump_json().encode()).hexdigest()[:12]
    return OracleActor.options(  # type: ignore[attr-defined]  # which ray.remote adds
        name=f"reseek-oracle-{digest}-{node}",
        get_if_exists=True,
        max_concurrency=_EPISODES_AT_ONCE,
        scheduling_strategy=NodeAffinitySchedulingStrategy(node, soft=False),
    ).remote(config)
