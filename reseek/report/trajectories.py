"""An episode for the viewer: blocks of text with the event at which each entered and left the context. Pure.

Invariant: the blocks that are in the context before a call, in their order, are the text of `trajectory.context` at
that moment; a dropped block keeps its place, so that it can be shown struck through. Texts come from the record (as
decoded during the run); only the prompt and single tokens need the tokenizer.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from reseek.agent.context import Source
from reseek.agent.prompts import HINT, INFORMATION_CLOSE, INFORMATION_OPEN, NOTICE, STUB
from reseek.errors import InputError
from reseek.policy import Tokenizer
from reseek.rollout.records import AppendRecord, EditRecord, EpisodeRecord
from reseek.rollout.stats import REWARD_PARTS, EpisodeStats

_FIXED = {Source.HINT: HINT, Source.NOTICE: NOTICE, Source.STUB: STUB}


@dataclass
class Block:
    """A span of the context, `tokens` long (in characters for a text-only policy). `number` counts the calls or
    observations of its source; `born` and `died` are the numbers of the events that added and removed it."""

    source: Source
    text: str
    tokens: int
    born: int
    number: int | None = None
    died: int | None = None

    def alive(self, event: int) -> bool:
        """Whether it is in the context just before event number `event`."""
        return self.born < event and (self.died is None or self.died >= event)


def blocks_of(record: EpisodeRecord, tokenizer: Tokenizer | None = None) -> list[Block]:
    """All blocks in the context's order. Raises InputError for an edit that splits one."""
    blocks: list[Block] = []
    counts: dict[Source, int] = {}
    for number, event in enumerate(record.events):
        if isinstance(event, EditRecord):
            _edit(blocks, event, number, record)
            continue
        nth = counts[event.source] = counts.get(event.source, -1) + 1
        known = event.source in (Source.POLICY, Source.OBSERVATION)
        text = _text(event, nth, record, tokenizer)
        blocks.append(Block(event.source, text, _length(event), number, nth if known else None))
    return blocks


def _edit(blocks: list[Block], event: EditRecord, number: int, record: EpisodeRecord) -> None:
    position, place = 0, None
    for i, block in enumerate(blocks):
        if block.died is not None:
            continue
        start, end = position, position + block.tokens
        position = end
        if start >= event.start and end <= event.end and start < event.end:
            block.died = number
            place = i + 1
        elif start < event.end and end > event.start:
            raise InputError(f"{record.set} {record.id}: event {number} edits only a part of a block")
    if _length(event):
        at = len(blocks) if place is None else place
        blocks.insert(at, Block(Source.STUB, STUB, _length(event), number))


def _length(event: AppendRecord | EditRecord) -> int:
    """In tokens; in characters for a text-only policy."""
    return len(event.ids) if event.text is None else len(event.text)


def _text(event: AppendRecord, nth: int, record: EpisodeRecord, tokenizer: Tokenizer | None) -> str:
    if event.text is not None:
        return event.text
    if event.source is Source.POLICY and nth < len(record.calls):
        return record.calls[nth].text
    if event.source is Source.OBSERVATION and nth < len(record.observations):
        return f"{INFORMATION_OPEN}{record.observations[nth].text}{INFORMATION_CLOSE}"
    if tokenizer is not None:
        return tokenizer.decode(list(event.ids), skip_special_tokens=False)
    if event.source in _FIXED:
        return _FIXED[event.source]
    if event.source is Source.PROMPT:
        return record.question
    return f"({len(event.ids)} tokens)"


def call_events(record: EpisodeRecord) -> list[int]:
    """The event number of each call."""
    numbers = enumerate(record.events)
    return [n for n, event in numbers if isinstance(event, AppendRecord) and event.source is Source.POLICY]


def wrong_verdicts(record: EpisodeRecord) -> int:
    """Verdicts that the oracle contradicts; a missing verdict with a label always counts."""
    return sum(o.right is False for o in record.observations)


def body(record: EpisodeRecord, tokenizer: Tokenizer | None = None) -> dict[str, Any]:
    """The viewer's data of the episode, in JSON's types, with short names because there are ten thousand episodes."""
    return {
        "gold": list(record.golden_answers),
        "answer": record.answer,
        "error": record.error,
        "scores": None if record.em is None else [record.em, record.f1, record.cover],
        "reward": _reward(record.stats),
        "rank": [record.answerable, record.answer_rank, record.answer_depth],
        "seconds": round(record.seconds, 3),
        "training": _training(record),
        "blocks": [[b.source.value, b.text, b.tokens, b.born, b.died, b.number] for b in blocks_of(record, tokenizer)],
        "calls": [[event, call.action.value] for event, call in zip(call_events(record), record.calls, strict=False)],
        "observations": [
            {
                "query": o.query,
                "hits": [[hit.title, round(hit.score, 4)] for hit in o.hits],
                "verdict": None if o.verdict is None else o.verdict.said,
                "call": o.verdict_call,
                "label": None if o.label is None else o.label.value,
                "right": o.right,
                "score": o.oracle_score,
                "reward": o.reward,
            }
            for o in record.observations
        ],
    }


def _training(record: EpisodeRecord) -> list[Any] | None:
    """Step, question and session (both from 1), and the mean advantage of the sampled tokens."""
    trained = record.training
    if trained is None:
        return None
    mean = sum(trained.advantages) / len(trained.advantages) if trained.advantages else 0.0
    return [trained.step, trained.index + 1, trained.session + 1, round(mean, 4)]


def _reward(stats: EpisodeStats | None) -> list[list[Any]] | None:
    """The parts that are not 0 (answer and judge always), then the total."""
    if stats is None:
        return None
    parts = [[name.replace("_", " "), round(getattr(stats, name), 4)] for name in REWARD_PARTS]
    return [part for part in parts[:2]] + [part for part in parts[2:] if part[1]] + [["total", round(stats.reward, 4)]]


class TokenTexts:
    """Single tokens as text, each decoded once."""

    def __init__(self, tokenizer: Tokenizer) -> None:
        self._tokenizer, self._known = tokenizer, dict[int, str]()

    def __call__(self, token: int) -> str:
        if token not in self._known:
            self._known[token] = self._tokenizer.decode([token], skip_special_tokens=False)
        return self._known[token]


def probabilities(record: EpisodeRecord, texts: TokenTexts | None) -> list[list[list[Any]]]:
    """Per call, [token's text (its id without a tokenizer), log-probability] of each sampled token; [] for a
    call without log-probabilities. Of a training rollout also the trainer's log-probability and the advantage."""
    calls: Sequence[AppendRecord] = [
        event for event in record.events if isinstance(event, AppendRecord) and event.source is Source.POLICY
    ]
    trained = record.training
    further = iter(zip(trained.trainer_logprobs, trained.advantages, strict=True)) if trained else None

    def numbers(logprob: float) -> list[float]:
        if further is None:
            return [round(logprob, 3)]
        theirs, advantage = next(further)
        return [round(logprob, 5), round(theirs, 5), round(advantage, 4)]

    return [
        [
            [texts(token) if texts else f"#{token}", *numbers(logprob)]
            for token, logprob in zip(call.ids, call.logprobs or (), strict=False)
        ]
        for call in calls
    ]
