"""Tiny real objects to run an episode with: a byte tokenizer, a policy with a script, a search in memory.

A byte has two ids: its value, which `encode` gives, and its value + SPOKEN, which only the policy says. Tokenising the
policy's words again would turn the one into the other, so that no test can miss it.
"""

import asyncio
import re
from collections.abc import Callable, Sequence

from corpora.record import Hit
from reseek.agent.context import NOT_TRAINED, segments
from reseek.agent.episode import Episode, EpisodeTexts, prompt_ids, run_episode
from reseek.config.agent import AgentConfig
from reseek.errors import SearchFailed
from reseek.policy import Sample
from reseek.registry import METHODS

SPOKEN = 1000
SPECIAL = {"<|im_start|>": 256, "<|im_end|>": 257, "[PAD]": 258, "<unused7>": 259}


class ByteTokenizer:
    """One token a UTF-8 byte; special tokens' strings become special ids wherever they occur, as with transformers."""

    all_special_tokens = list(SPECIAL)

    def encode(self, text: str, add_special_tokens: bool = True) -> list[int]:
        assert not add_special_tokens, "environment text never gets the tokenizer's own frame"
        ids: list[int] = []
        for part in re.split(f"({'|'.join(map(re.escape, SPECIAL))})", text):
            ids.extend([SPECIAL[part]] if part in SPECIAL else part.encode())
        return ids

    def decode(self, ids: Sequence[int], skip_special_tokens: bool = False) -> str:
        names = {number: name for name, number in SPECIAL.items()}
        data = b"".join(names[i].encode() if i in names else bytes([i % SPOKEN]) for i in ids)
        return data.decode(errors="replace")

    def apply_chat_template(self, messages, *, add_generation_prompt: bool, tokenize: bool, return_dict: bool):
        assert add_generation_prompt and not return_dict  # gives ids, asked for text too, as TextTokenizer does
        turns = "".join(f"<|im_start|>{m['role']}\n{m['content']}<|im_end|>\n" for m in messages)
        return self.encode(f"{turns}<|im_start|>assistant\n", add_special_tokens=False)


def spoken(text: str) -> tuple[int, ...]:
    """The ids by which the policy says a text."""
    return tuple(byte + SPOKEN for byte in text.encode())


class Script:
    """A policy that says the given texts, one a call, cut at `max_tokens`. Remembers what it was given and said."""

    def __init__(
        self,
        *texts: str,
        again: bool = False,
        after: Callable[[], None] = lambda: None,
        method: str = "reseek",
    ) -> None:
        self.texts, self.again, self.after, self.stop = texts, again, after, set(METHODS.find(method).stop())
        self.contexts: list[tuple[int, ...]] = []
        self.limits: list[int] = []
        self.samples: list[Sample] = []

    async def sample(self, context_ids: Sequence[int], *, stop: Sequence[str], max_tokens: int) -> Sample:
        assert max_tokens >= 1 and set(stop) == self.stop
        turn = len(self.samples)
        assert self.again or turn < len(self.texts), f"the script has no line {turn}"
        ids = spoken(self.texts[turn % len(self.texts)])[:max_tokens]
        said = sum(len(sample.ids) for sample in self.samples)
        self.contexts.append(tuple(context_ids))
        self.limits.append(max_tokens)
        self.samples.append(Sample(ids, tuple(-0.25 * (said + i) for i in range(len(ids)))))
        self.after()
        return self.samples[-1]


class Memory:
    """A search over a dict from query to passages. A query of `broken` fails; an unknown one finds nothing."""

    def __init__(self, found: dict[str, Sequence[str]] | None = None, broken: Sequence[str] = ()) -> None:
        self.found, self.broken = found or {}, broken
        self.asked: list[tuple[str, int]] = []

    async def search(self, queries: Sequence[str], k: int) -> list[list[Hit]]:
        self.asked.extend((query, k) for query in queries)
        for query in queries:
            if query in self.broken:
                raise SearchFailed(f"no answer for {query!r}")
        return [self._hits(query, k) for query in queries]

    def _hits(self, query: str, k: int) -> list[Hit]:
        texts = self.found.get(query, ())[:k]
        return [Hit(f"{query}-{rank}", f"T{rank}", text, 1.0 / rank) for rank, text in enumerate(texts, start=1)]


TOKENIZER = ByteTokenizer()
TEXTS = EpisodeTexts.of(TOKENIZER)


def play(policy: Script, search: Memory, agent: AgentConfig, question: str = "who?") -> Episode:
    """Run one episode and check on the way out what must hold for every episode."""
    prompt, texts = prompt_ids(TOKENIZER, agent, question), EpisodeTexts.of(TOKENIZER, agent.protocol)
    asked = run_episode(prompt, policy=policy, search=search, texts=texts, agent=agent, question=question)
    episode = asyncio.run(asked)
    assert_recorded_as_sampled(episode, policy)
    assert_trained_as_sampled(episode, policy)
    return episode


def assert_recorded_as_sampled(episode: Episode, policy: Script) -> None:
    """Calls hold what was sampled, numbered as the trajectory numbers it; the budgets were kept."""
    assert [call.text for call in episode.calls] == [TOKENIZER.decode(s.ids) for s in policy.samples]
    assert [(call.start, call.end) for call in episode.calls] == _spans(policy)
    assert episode.trajectory.sampled_count == sum(len(s.ids) for s in policy.samples)


def assert_trained_as_sampled(episode: Episode, policy: Script) -> None:
    """Every sampled token is trained once, behind the very ids that the policy was given, and nothing else is."""
    expected = {}
    for (start, _), context, sample in zip(_spans(policy), policy.contexts, policy.samples, strict=True):
        for i, token in enumerate(sample.ids):
            expected[start + i] = (context + sample.ids[:i], token, sample.logprobs[i])
    trained = {}
    for row in segments(episode.trajectory):
        for position, number in enumerate(row.sampled):
            if number == NOT_TRAINED:
                assert row.logprobs[position] == 0.0
                continue
            assert number not in trained
            trained[number] = (row.ids[:position], row.ids[position], row.logprobs[position])
    assert trained == expected


def _spans(policy: Script) -> list[tuple[int, int]]:
    spans, start = [], 0
    for sample in policy.samples:
        spans.append((start, start + len(sample.ids)))
        start += len(sample.ids)
    return spans
