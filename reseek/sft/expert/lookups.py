"""Looking queries up before they are said: what the environment will show, and the verdict that the oracle calls for.

Invariant: an observation and its label are made by the environment's own search, texts, oracle and threshold, so that
the record of the episode holds the same ones.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from reseek.agent.methods import method_of
from reseek.agent.observation import Observation, observed
from reseek.agent.verdict import Verdict, called_for
from reseek.oracle.scorer import finite
from reseek.questions.record import Question
from reseek.rollout.environment import Environment
from reseek.search import sound_hits
from reseek.sft.expert.answers import as_written


@dataclass(frozen=True)
class Lookup:
    """What a query brings. `label`: the verdict that the oracle calls for, None without a score; `answer`: the gold
    answer as the passages write it, None where they hold none or holding it is no evidence (yes / no)."""

    query: str
    observation: Observation
    label: Verdict | None
    answer: str | None

    @property
    def shown(self) -> str:
        """The passages' text, without headings."""
        return "\n".join(hit.text for hit in self.observation.hits)


async def look_up(environment: Environment, question: Question, queries: Sequence[str]) -> list[Lookup]:
    """What each of these queries brings, in order. Raises SearchFailed and ScoringFailed."""
    if not queries:
        return []
    agent, texts = environment.agent, environment.texts
    brought = await environment.search.search(list(queries), agent.top_k)
    observations = []
    for hits in map(sound_hits, brought):
        shown = texts.observation(hits, agent.observation_tokens)
        observations.append(observed(hits, shown.text, shown.spans))
    scores: Sequence[float | None] = [None] * len(observations)
    if method_of(agent).judges():
        scores = finite(await environment.oracle.score(question, observations))
    threshold, offered = environment.oracle_config.threshold, texts.protocol.offered
    return [
        Lookup(
            query,
            observation,
            None if score is None else called_for(score, threshold, offered),
            as_written(observation.text, question.golden_answers) if question.answerable else None,
        )
        for query, observation, score in zip(queries, observations, scores, strict=True)
    ]
