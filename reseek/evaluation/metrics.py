"""The metrics of records: means, ratios, intervals, recall. Pure.

Invariant: FAILED episodes are counted and excluded from all means. A ratio with denominator 0 is None, never 0. The
same records and seed give the same interval.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np

from reseek.questions.answer_ranks import within
from reseek.rollout.records import EpisodeRecord
from reseek.rollout.stats import summarise
from reseek.statistics import Interval, bootstrap_means, interval


@dataclass(frozen=True)
class SetResult:
    """The numbers of one set. `recall` is at `agent.top_k`, `recall_at_3` at 3; both over `answerable` questions, as is
    `unanswerable`: the share that no passage of the corpus answers (None if the corpus was not read for it)."""

    questions: int
    failed: int
    em: float | None
    em_interval: Interval | None
    f1: float | None
    cover: float | None
    reward: float | None
    judge_accuracy: float | None
    judge_precision: float | None
    judge_recall: float | None
    labelled_share: float | None
    searches: float | None
    drop_rate: float | None
    legal_rate: float | None
    answered_rate: float | None
    segments: float | None
    sampled_tokens: float | None
    fed_tokens: float | None
    seconds: float | None
    answerable: int
    recall: float | None
    recall_at_3: float | None
    unanswerable: float | None


MEANS = (
    "em f1 cover reward judge_accuracy judge_precision judge_recall labelled_share searches drop_rate legal_rate "
    "answered_rate segments sampled_tokens fed_tokens seconds recall recall_at_3 unanswerable"
).split()


def recall_at(records: Sequence[EpisodeRecord], k: int) -> float | None:
    """The share of answerable questions with a gold answer in one of the first k passages for the bare question."""
    answerable = [record for record in records if record.answerable and not record.failed]
    if any(record.answer_depth < k for record in answerable):
        raise ValueError(f"recall@{k} needs at least {k} retrieved passages per record")
    if not answerable:
        return None
    return sum(within(record.answer_rank, k) for record in answerable) / len(answerable)


def unanswerable_share(records: Sequence[EpisodeRecord], unanswerable: Collection[str] | None) -> float | None:
    """Among the questions of `recall_at`, the share whose id is among the `unanswerable` (None: not known)."""
    asked = [record.id for record in records if record.answerable and not record.failed]
    return None if unanswerable is None or not asked else sum(one in unanswerable for one in asked) / len(asked)


def set_result(
    records: Sequence[EpisodeRecord], top_k: int, seed: int, unanswerable: Collection[str] | None = None
) -> SetResult:
    """The numbers of one set's records. `unanswerable`: ids of questions that no passage of the corpus answers."""
    good = [record for record in records if not record.failed]
    summary = summarise([record.stats for record in good if record.stats is not None])

    def mean(key: str) -> float | None:
        return sum(getattr(record, key) for record in good) / len(good) if good else None

    return SetResult(
        questions=len(records),
        failed=len(records) - len(good),
        em=summary["em"],
        em_interval=interval(bootstrap_means([record.em or 0.0 for record in good], seed)) if good else None,
        f1=mean("f1"),
        cover=mean("cover"),
        reward=summary["reward"],
        judge_accuracy=summary["judge_accuracy"],
        judge_precision=summary["judge_precision"],
        judge_recall=summary["judge_recall"],
        labelled_share=summary["labelled_share"],
        searches=summary["searches"],
        drop_rate=summary["drop_rate"],
        legal_rate=summary["legal_rate"],
        answered_rate=summary["answered_rate"],
        segments=summary["segments"],
        sampled_tokens=summary["sampled_tokens"],
        fed_tokens=summary["fed_tokens"],
        seconds=summary["seconds"],
        answerable=sum(record.answerable for record in good),
        recall=recall_at(records, top_k),
        recall_at_3=recall_at(records, 3),
        unanswerable=unanswerable_share(records, unanswerable),
    )


def average(results: Sequence[SetResult], records: Sequence[Sequence[EpisodeRecord]], seed: int) -> SetResult:
    """The unweighted mean over sets of each number that a set has; counts are sums. Its interval resamples the
    questions within each set; the sets themselves are taken as given."""

    def mean(key: str) -> float | None:
        values = [value for result in results if (value := getattr(result, key)) is not None]
        return sum(values) / len(values) if values else None

    ems = [[record.em or 0.0 for record in one if not record.failed] for one in records]
    resampled = [bootstrap_means(values, seed + number) for number, values in enumerate(ems) if values]
    return SetResult(
        questions=sum(result.questions for result in results),
        failed=sum(result.failed for result in results),
        answerable=sum(result.answerable for result in results),
        em_interval=interval(np.mean(resampled, axis=0)) if resampled else None,
        **{key: mean(key) for key in MEANS},
    )
