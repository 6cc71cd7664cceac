"""Demonstrations: scripted episodes as training rows, and their endless renaming.

Invariant: a row is a segment of a real episode (`reseek.agent.episode` against the world's own index), trained where
the expert spoke and nowhere else. Renaming permutes syllables and years over a whole row, so what was equal stays
equal and what differed stays different: each row becomes an episode in a world nobody has seen, and copying is the
only way to be right.

Renaming makes words by chance, so a demonstration may hold a word that names something in a held-out split; it never
holds a fact of one.
"""

import asyncio
import random
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch

from reseek.agent.episode import EpisodeTexts
from reseek.config.agent import AgentConfig, ContextPolicy, Prompt
from reseek.config.oracle import OracleConfig
from reseek.config.rewards import RewardConfig
from reseek.errors import SearchFailed
from reseek.micro.expert import ScriptedPolicy
from reseek.micro.model import syllable_ids, year_ids
from reseek.oracle.literal import LiteralOracle
from reseek.policy import Tokenizer
from reseek.questions.record import Question
from reseek.rollout.environment import Environment
from reseek.rollout.training_row import Row
from reseek.search import Search

# What the micro model is warmed up for; `conf/agent/micro.yaml` must say the same.
MICRO_AGENT = AgentConfig(
    prompt=Prompt.BARE,
    context=ContextPolicy.DROP,
    max_turns=4,
    top_k=1,
    prompt_tokens=64,
    call_tokens=32,
    observation_tokens=64,
    response_tokens=512,
)


def micro_environment(policy: Any, tokenizer: Tokenizer, search: Search) -> Environment:
    """The environment of the micro model, with the literal oracle."""
    texts, labels = EpisodeTexts.of(tokenizer), OracleConfig(threshold=0.5)
    return Environment(policy, search, LiteralOracle(), texts, MICRO_AGENT, labels, RewardConfig())


async def demonstrate(
    questions: Sequence[Question],
    *,
    tokenizer,
    search: Search,
    carelessness: float,
    laziness: float,
    seed: int,
    at_once: int = 64,
) -> list[Row]:
    """The rows of one scripted episode per question, in the questions' order. Raises SearchFailed."""
    environment = micro_environment(None, tokenizer, search)

    async def play(number: int, question: Question) -> list[Row]:
        rng = random.Random(f"demonstration {seed} {number} {question.id}")
        expert = ScriptedPolicy(tokenizer, question, rng, carelessness, laziness)
        own = replace(environment, policy=expert, search=expert.watching(search))
        episode = await own.episode(question)
        if episode.error is not None:
            raise SearchFailed(episode.error)
        return [Row(segment.ids, segment.mask) for segment in episode.segments]

    rows: list[Row] = []
    for start in range(0, len(questions), at_once):
        chunk = questions[start : start + at_once]
        for played in await asyncio.gather(*(play(start + i, question) for i, question in enumerate(chunk))):
            rows += played
    return rows


class Renamer:
    """Permutes a row's syllables (all forms of one alike) and years."""

    def __init__(self, tokenizer, seed: int) -> None:
        self._syllables_FS = torch.tensor(syllable_ids(tokenizer))
        self._years_Y = torch.tensor(year_ids(tokenizer))
        self._identity_V = torch.arange(len(tokenizer))
        self._generator = torch.Generator().manual_seed(seed)

    def __call__(self, ids_BT: torch.Tensor) -> torch.Tensor:
        """Each row of `ids_BT` under a permutation of its own."""
        return torch.stack([self._table()[ids_T] for ids_T in ids_BT])

    def _table(self) -> torch.Tensor:
        table_V = self._identity_V.clone()
        order_S = torch.randperm(self._syllables_FS.shape[1], generator=self._generator)
        table_V[self._syllables_FS] = self._syllables_FS[:, order_S]
        table_V[self._years_Y] = self._years_Y[torch.randperm(len(self._years_Y), generator=self._generator)]
        return table_V
