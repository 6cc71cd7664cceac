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
    answer_reward: float
    """The answer's part of it."""
    judge_reward: float
    """The aggregated verdict rewards within it."""
    searches: int
    judged: int
    """Observations with a verdict, given or missing."""
    labelled: int
    """Judged observations for which the oracle had a label."""
    judge_right: int
    """Labelled ones whose verdict agrees with the label."""
    good: int
    """Labelled ones that the oracle calls good."""
    said_yes: int
    """Labelled ones with a Yes."""
    yes_right: int
    """Labelled ones with a Yes that the oracle calls good."""
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
    trained_tokens: int
    """Over all segments: equal to the sampled ones, or training is wrong."""
    fed_tokens: int
    """Lengths of all segments: what the trainer reads to train them."""
    answered: int
    """1 if an answer was given."""
    stop_answered: int
    """1 if the episode ended for this reason; so the others: each a StopReason."""
    stop_no_answer: int
    stop_invalid: int
    stop_repeated: int
    stop_token_budget: int
    stop_deadline: int
    seconds: float

    @classmethod
    def of(cls, episode: Episode, reward: Reward) -> "EpisodeStats":
        """The counts of an episode that has a reward (a FAILED one has none)."""
        verdicts = [observation.verdict for observation in episode.observations]
        labelled = [judged for judged in reward.judged if judged.label is not None]
        rows = segments(episode.trajectory)
        return cls(
            em=reward.exact_match,
            reward=reward.total,
            answer_reward=reward.answer,
            judge_reward=reward.judge,
            searches=len(episode.observations),
            judged=len(reward.judged),
            labelled=len(labelled),
            judge_right=sum(judged.right is True for judged in labelled),
            good=sum(judged.label is True for judged in labelled),
            said_yes=sum(judged.verdict is Verdict.YES for judged in labelled),
            yes_right=sum(judged.verdict is Verdict.YES and judged.label is True for judged in labelled),
            drops=verdicts.count(Verdict.NO),
            missing_verdicts=verdicts.count(Verdict.MISSING),
            calls=len(episode.calls),
            legal_calls=sum(call.parsed.action is not Action.INVALID for call in episode.calls),
            segments=len(rows),
            sampled_tokens=episode.trajectory.sampled_count,
            trained_tokens=sum(sum(row.mask) for row in rows),
            fed_tokens=sum(len(row.ids) for row in rows),
            answered=int(episode.stop is not StopReason.FAILED and episode.answer is not None),
            seconds=episode.seconds,
            **{
                f"stop_{reason.value}": int(episode.stop is reason)
                for reason in StopReason
                if reason is not StopReason.FAILED
            },
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
        "answer_reward": ratio("answer_reward", count),
        "judge_reward": ratio("judge_reward", count),
        "judge_accuracy": ratio("judge_right", total("labelled")),
        "judge_precision": ratio("yes_right", total("said_yes")),
        "judge_recall": ratio("yes_right", total("good")),
        "labelled_share": ratio("labelled", total("judged")),
        "searches": ratio("searches", count),
        "drop_rate": ratio("drops", total("judged")),
        "missing_verdicts": ratio("missing_verdicts", count),
        "calls": ratio("calls", count),
        "legal_rate": ratio("legal_calls", total("calls")),
        "invalid_actions": (total("calls") - total("legal_calls")) / count if count else None,
        "answered_rate": ratio("answered", count),
        "segments": ratio("segments", count),
        "sampled_tokens": ratio("sampled_tokens", count),
        "trained_tokens": ratio("trained_tokens", count),
        "fed_tokens": ratio("fed_tokens", count),
        "seconds": ratio("seconds", count),
        **{key: ratio(key, count) for key in STATS_KEYS if key.startswith("stop_")},
    }
