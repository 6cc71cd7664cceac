"""A quick look at a micro checkpoint: greedy and sampled episodes on held-out questions, as a few numbers.

Invariant: the same episodes, oracle and reward code as everywhere else; only the questions are few. Knows nothing of
training; `eval.py` is the real evaluation.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from reseek.agent.episode import EpisodeTexts, prompt_ids, run_episode
from reseek.agent.grammar import Action, Verdict
from reseek.micro.demonstrations import MICRO_AGENT
from reseek.policy.hf import TransformersPolicy
from reseek.questions.record import Question
from reseek.rewards.answers import exact_match
from reseek.search import Search


@dataclass(frozen=True)
class HeldOut:
    """Shares in [0, 1]: of right answers, of calls with a legal action, of episodes with at least one No."""

    questions: int
    temperature: float
    exact_match: float
    parsed: float
    said_no: float


async def look(
    model, tokenizer, questions: Sequence[Question], search: Search, *, temperature: float, seed: int = 0
) -> HeldOut:
    """Play each question once."""
    policy = TransformersPolicy(model, tokenizer, temperature=temperature, seed=seed, max_batch=128)
    texts = EpisodeTexts.of(tokenizer)
    episodes = await asyncio.gather(
        *(
            run_episode(
                prompt_ids(tokenizer, MICRO_AGENT, question.question),
                policy=policy,
                search=search,
                texts=texts,
                agent=MICRO_AGENT,
            )
            for question in questions
        )
    )
    calls = [call for episode in episodes for call in episode.calls]
    right = sum(exact_match(e.answer, q.golden_answers) for e, q in zip(episodes, questions, strict=True))
    return HeldOut(
        questions=len(questions),
        temperature=temperature,
        exact_match=round(right / len(questions), 3),
        parsed=round(sum(call.parsed.action is not Action.INVALID for call in calls) / len(calls), 3),
        said_no=round(sum(any(o.verdict is Verdict.NO for o in e.observations) for e in episodes) / len(episodes), 3),
    )
