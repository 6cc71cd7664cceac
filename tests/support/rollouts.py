"""Random episodes as the rows that a trainer's batch holds of them."""

import random

from reseek.agent.episode import Episode
from reseek.rewards.reward import Reward
from reseek.rollout.records import EpisodeRecord
from reseek.rollout.training_record import Row, TrainedSegment
from reseek.training.credit.token_positions import segment_credits
from tests.support.wanderer import wander_scored


def batch_rows(key: str, index: int, episode: Episode, reward: Reward, record: EpisodeRecord) -> list[Row]:
    """The rows of a session whose key is `{uid}_{session}`; their numbers are random, untrained ones too."""
    rng, prompt = random.Random(key), episode.trajectory.prompt_length
    rows = []
    for number, (segment, credit) in enumerate(
        zip(episode.segments, segment_credits(episode, reward, episode.segments), strict=True)
    ):
        length = len(segment.ids) - prompt
        trained = TrainedSegment(
            segment.ids[:prompt],
            segment.ids[prompt:],
            segment.mask[prompt:],
            segment.logprobs[prompt:],
            *(tuple(rng.uniform(-3, 0) for _ in range(length)) for _ in range(3)),
            verdicts=tuple(credit["verdicts"]),
        )
        rewards = (credit["answer"], credit["judge"], credit["outcome"] - credit["answer"])
        rows.append(Row(f"{key}_{number}", index, rewards, "" if number else record.model_dump_json(), trained))
    return rows


def wandered_rows(seed: int, key: str, index: int, **agent) -> tuple[list[Row], EpisodeRecord]:
    """The rows of a random episode, and its record."""
    episode, reward, record = wander_scored(seed, **agent)
    return batch_rows(key, index, episode, reward, record), record
