"""What is counted of episodes: one flat record an episode, and the ratios over many.

Training, validation and evaluation print the same numbers from the same code. A ratio over nothing is None, never 0.
FAILED episodes are counted apart and stand in no ratio. Pure: knows nothing of how episodes were run or where numbers
go.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields

from reseek.context import segments
from reseek.episode import Episode, StopReason
from reseek.grammar import Action, Verdict
from reseek.reward import Reward


@dataclass(frozen=True)
class EpisodeStats:
    """Counts of one finished episode. Floats and ints only, so that it travels through any metrics channel."""

    em: float
    """1.0 for an exact match."""
    reward: float
    """The total that training maximises."""
    judge_reward: float
    """The aggregated verdict rewards within it."""
    searches: int
    judged: int
    """Observations with a verdict, given or missing."""
    labelled: int
    """Judged observations for which the oracle had a label."""
    judge_right: int
    """Labelled ones whose verdict agrees with the label."""
    drops: int
    """Observations judged No."""
    missing_verdicts: int
    calls: int
    """Policy calls."""
    legal_calls: int
    """Calls that held a legal action."""
    segments: int
    """Training rows: 1 + forks that were followed by a sampled token."""
    sampled_tokens: int
    answered: int
    """1 if an answer was given."""
    seconds: float

    @classmethod
    def of(cls, episode: Episode, reward: Reward) -> "EpisodeStats":
        """The counts of an episode that has a reward (a FAILED one has none)."""
        verdicts = [observation.verdict for observation in episode.observations]
        return cls(
            em=reward.exact_match,
            reward=reward.total,
            judge_reward=reward.judge,
            searches=len(episode.observations),
            judged=len(reward.judged),
            labelled=sum(judged.label is not None for judged in reward.judged),
            judge_right=sum(judged.right is True for judged in reward.judged),
            drops=verdicts.count(Verdict.NO),
            missing_verdicts=verdicts.count(Verdict.MISSING),
            calls=len(episode.calls),
            legal_calls=sum(call.parsed.action is not Action.INVALID for call in episode.calls),
            segments=len(segments(episode.trajectory)),
            sampled_tokens=episode.trajectory.sampled_count,
            answered=int(episode.stop is not StopReason.FAILED and episode.answer is not None),
            seconds=episode.seconds,
        )

    def as_dict(self) -> dict[str, float]:
        return asdict(self)


STATS_KEYS = tuple(field.name for field in fields(EpisodeStats))


def summarise(stats: Sequence[EpisodeStats]) -> dict[str, float | None]:
    """Means and ratios over episodes, by the names that tables and metric channels use."""
    count = len(stats)

    def total(key: str) -> float:
        return float(sum(getattr(one, key) for one in stats))

    def ratio(numerator: str, denominator: float) -> float | None:
        return total(numerator) / denominator if denominator else None

    return {
        "episodes": float(count),
        "em": ratio("em", count),
        "reward": ratio("reward", count),
        "judge_reward": ratio("judge_reward", count),
        "judge_accuracy": ratio("judge_right", total("labelled")),
        "labelled_share": ratio("labelled", total("judged")),
        "searches": ratio("searches", count),
        "drop_rate": ratio("drops", total("judged")),
        "legal_rate": ratio("legal_calls", total("calls")),
        "answered_rate": ratio("answered", count),
        "segments": ratio("segments", count),
        "sampled_tokens": ratio("sampled_tokens", count),
        "seconds": ratio("seconds", count),
    }
