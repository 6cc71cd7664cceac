"""Episodes of every shape in a tiny world: a policy that acts at random, with Noes that fork and words that are no
action."""

import asyncio
import random

from reseek.evaluation.records import EpisodeRecord
from reseek.evaluation.runner import run_question
from reseek.policy import Sample
from tests.support.evaluations import PASSAGES, question, room

_SAID = (
    *(f"<search>capital of {country}</search>" for country in PASSAGES),
    "<judge>Yes</judge>",
    "hm <judge>No</judge>",
    "<judge>No</judge>",
    "<answer>paris</answer>",
    "<answer>rome</answer>",
    "nothing",
)


class Wanderer:
    """Says one of a few things at a time, whether it fits or not."""

    def __init__(self, rng: random.Random) -> None:
        self.rng = rng

    async def sample(self, context_ids, *, stop, max_tokens) -> Sample:
        text = self.rng.choice(_SAID)
        return Sample(tuple(map(ord, text)), tuple(-self.rng.random() for _ in text))


def wander(seed: int, **agent) -> EpisodeRecord:
    """The record of one random episode."""
    asked = question(seed, random.Random(seed).choice(list(PASSAGES)), "Paris")
    return asyncio.run(run_question("s", asked, room(Wanderer(random.Random(seed)), max_turns=4, **agent)))
