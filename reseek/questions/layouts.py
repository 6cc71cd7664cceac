"""Rows of other people's question sets as our questions.

Two layouts are read, by the same few rules: FlashRAG's (`id`, `question`, `golden_answers`, `metadata`) and
Search-R1's parquet, which is verl's (`data_source`, `prompt`, `reward_model.ground_truth.target`, and FlashRAG's
fields beside them). Invariant: question and answers stay as they are but for blanks around them.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from reseek.errors import InputError
from reseek.questions.record import Question


@dataclass(frozen=True)
class Converted:
    """The questions of some rows, and what could not be used of them (see `SetManifest`)."""

    questions: tuple[Question, ...]
    left_out: int
    blank_answers: int


def convert(rows: Iterable[Mapping[str, Any]], name: str, only: str | None = None) -> Converted:
    """All rows; with `only`, those whose `data_source` it is. Without it a `data_source` goes before the id: the ids of
    several sets in one file repeat each other. Raises InputError for rows that have neither layout and for repeated
    ids."""
    questions: dict[str, Question] = {}
    left_out = blank = seen = 0
    sources: set[str] = set()
    for number, row in enumerate(rows):
        if not isinstance(row, Mapping):
            raise InputError(f"row {number}: must be a JSON object")
        source = row.get("data_source")
        sources.add(str(source))
        if only is not None and source != only:
            continue
        seen += 1
        asked, given = _text(row, number), _answers(row, number)
        answers = tuple(dict.fromkeys(answer for answer in given if answer))
        blank += sum(not answer for answer in given)
        if not asked or not answers:
            left_out += 1
            continue
        key = str(row["id"]) if row.get("id") is not None else f"{name}_{number}"
        key = key if source is None or only is not None else f"{source}/{key}"
        if key in questions:
            raise InputError(f"row {number}: duplicate id {key!r}")
        questions[key] = Question(
            id=key, question=asked, golden_answers=answers, supporting_titles=_titles(row.get("metadata"))
        )
    if not questions:
        of = f" whose data_source is {only!r} (there are: {', '.join(sorted(sources))})" if only and not seen else ""
        raise InputError(f"holds no row{of} with a question and an answer")
    return Converted(tuple(questions.values()), left_out, blank)


def _text(row: Mapping[str, Any], number: int) -> str:
    if "question" not in row:
        raise InputError(f"row {number}: has no field question (it has: {', '.join(sorted(row))})")
    return str(row["question"] or "").strip()


def _answers(row: Mapping[str, Any], number: int) -> list[str]:
    answers = row.get("golden_answers")
    if answers is None:
        truth = (row.get("reward_model") or {}).get("ground_truth")
        answers = truth.get("target") if isinstance(truth, Mapping) else truth
    if answers is None:
        raise InputError(f"row {number}: has neither golden_answers nor reward_model.ground_truth.target")
    return [str(answer).strip() for answer in ([answers] if isinstance(answers, str) else answers)]


def _titles(metadata: Any) -> tuple[str, ...]:
    """The supporting passages' titles, where FlashRAG's metadata hold HotpotQA's or 2WikiMultiHopQA's."""
    facts = metadata.get("supporting_facts") if isinstance(metadata, Mapping) else None
    titles = facts.get("title") if isinstance(facts, Mapping) else None
    return tuple(dict.fromkeys(map(str, titles))) if titles else ()
