"""What an expert's episode came to: the labels of its verdicts, and whether its answer is a guess. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass

from reseek.agent.verdict import Verdict
from reseek.rewards.answers import cover_match
from reseek.rollout.records import EpisodeRecord, ObservationRecord


@dataclass(frozen=True)
class Outcome:
    """One entry per observation, in order: the oracle's label of a judged one, None without a label or a verdict.
    `guessed`: passages were shown and none that stayed holds the answer. `letters`: one per observation, Y or N for the
    label, u for a judged one without a label; where nobody judges + if a gold answer was shown, else -."""

    labels: tuple[Verdict | None, ...]
    guessed: bool
    letters: str = ""

    @property
    def name(self) -> str:
        """The letters, and whether the answer is a guess; "closed book" without any observation."""
        return f"{self.letters} guessed" if self.guessed else self.letters or "closed book"


def outcome_of(record: EpisodeRecord) -> Outcome:
    """The outcome of an episode. An answer that no passage can show (yes / no) is no guess where one stayed."""
    kept = [one for one in record.observations if one.verdict is None or one.verdict.stays]
    shown = any(cover_match(one.text, [record.answer or ""]) for one in kept)
    read = shown if record.answerable else bool(kept)
    return Outcome(
        tuple(one.label for one in record.observations),
        bool(record.observations) and not read,
        "".join(_letter(one, record.golden_answers) for one in record.observations),
    )


def _letter(observation: ObservationRecord, golden_answers: Sequence[str]) -> str:
    if observation.verdict is None:
        return "+" if cover_match(observation.text, golden_answers) else "-"
    return "u" if observation.label is None else observation.label.value[0]
