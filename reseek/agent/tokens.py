"""The environment's texts as token ids of one tokenizer, and where tokens and characters meet.

Invariant: no block that is made here holds a token by which the tokenizer structures a chat or marks something,
whatever text came in; environment text is tokenised alone. Knows nothing of turns, budgets or actions.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass

from corpora.record import Hit
from reseek.agent.grammar import is_markup, neutralise
from reseek.agent.prompts import HINT, HINT_WITHOUT_JUDGE, INFORMATION_CLOSE, INFORMATION_OPEN, NOTICE, STUB, passages
from reseek.policy import Tokenizer


@dataclass(frozen=True)
class EpisodeTexts:
    """The environment's fixed texts as token ids of one tokenizer, and the tokenizer itself.

    `control_tokens` are the tokens that structure a chat or mark something, `control_ids` their ids: no observation
    ever holds one."""

    tokenizer: Tokenizer
    control_tokens: tuple[str, ...]
    control_ids: frozenset[int]
    information_open: tuple[int, ...]
    information_close: tuple[int, ...]
    stub: tuple[int, ...]
    hint: tuple[int, ...]
    hint_without_judge: tuple[int, ...]
    notice: tuple[int, ...]

    @classmethod
    def of(cls, tokenizer: Tokenizer) -> "EpisodeTexts":
        def ids(text: str) -> tuple[int, ...]:
            return tuple(tokenizer.encode(text, add_special_tokens=False))

        control = control_tokens(tokenizer)
        alone = [ids(token) for token in control]
        return cls(
            tokenizer,
            control,
            frozenset(token[0] for token in alone if len(token) == 1),
            ids(INFORMATION_OPEN),
            ids(INFORMATION_CLOSE),
            ids(STUB),
            ids(HINT),
            ids(HINT_WITHOUT_JUDGE),
            ids(NOTICE),
        )

    def observation(self, hits: Sequence[Hit], limit: int) -> tuple[tuple[int, ...], str]:
        """The block's ids, its passages cut at `limit` tokens, and the text of the passages as the policy sees it."""
        return self.block(passages(hits), limit)

    def block(self, untrusted: str, limit: int) -> tuple[tuple[int, ...], str]:
        """The ids of an information block with this text, neutralised and cut at `limit` tokens, and the text itself as
        the policy sees it."""
        text = neutralise(untrusted, self.control_tokens)
        # `neutralise` knows what normalisers commonly do. Whatever else a tokenizer does to a text, and where its token
        # for the unknown is its end of text: a control token is left out.
        ids = [i for i in self.tokenizer.encode(text, add_special_tokens=False) if i not in self.control_ids]
        body = ids[:limit]
        return (*self.information_open, *body, *self.information_close), self.tokenizer.decode(body)


def control_tokens(tokenizer: Tokenizer) -> tuple[str, ...]:
    """The strings that a tokenizer reads as structure wherever they stand: its special tokens, and others added to its
    vocabulary that are written like marks (Qwen's <tool_call>). Added words and runs of blanks are text."""
    special = getattr(tokenizer, "all_special_tokens", ())
    added = getattr(tokenizer, "added_tokens_decoder", {}).values()
    marks = (token.content for token in added if token.special or is_markup(token.content))
    return tuple(dict.fromkeys((*special, *marks)))


def token_span(tokenizer: Tokenizer, ids: Sequence[int], start: int, end: int) -> tuple[int, int]:
    """The smallest range of tokens that holds the characters `start`:`end` of their decoded text. The first and the
    last of these must not be split over tokens, as the brackets of a tag never are."""

    def characters(count: int) -> int:
        return len(tokenizer.decode(ids[:count], skip_special_tokens=False))

    if start == end:
        return 0, 0
    counts = range(len(ids) + 1)
    last = len(ids)
    if characters(last - 1) >= end:  # seldom: sampling stops with the token that completes the action
        last = bisect_left(counts, end, key=characters)
    return bisect_right(counts, start, hi=last, key=characters) - 1, last
