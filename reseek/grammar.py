"""The agent's language: tags, actions, the one strict parser, and the neutralising of untrusted text.

Invariant: `parse` reads a text as a legal action only if that text holds a complete `<tag>content</tag>` of a policy
action whose content holds no tag of an action or of the environment, before any such tag. `neutralise` returns a text
in which `parse` finds no tag at all, whatever came in. Knows nothing of tokens, budgets, whose turn it is, or rewards.
"""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum


class Action(Enum):
    """What one policy call did."""

    SEARCH = "search"
    """`<search>query</search>`: ask the retriever."""
    JUDGE = "judge"
    """`<judge>Yes</judge>` or `<judge>No</judge>`: keep or drop the pending observation."""
    ANSWER = "answer"
    """`<answer>text</answer>`: end the episode."""
    INVALID = "invalid"
    """No legal action in the text."""


class Verdict(Enum):
    """What became of one observation."""

    YES = "Yes"
    """Judged useful: it stays in the context."""
    NO = "No"
    """Judged useless: the context policy decides what stays (drop, strict, keep)."""
    MISSING = "missing"
    """The policy acted on without judging: kept, and rewarded like a wrong verdict."""


POLICY_TAGS = (Action.SEARCH.value, Action.JUDGE.value, Action.ANSWER.value)
ENVIRONMENT_TAG = "information"
TAGS = (*POLICY_TAGS, ENVIRONMENT_TAG, "think", "note")
STOP = tuple(f"</{tag}>" for tag in POLICY_TAGS)

_ANY_TAG = re.compile(r"</?(?:search|judge|answer|information)>")
# The same tags as a lenient reader might take them: any case, blanks, attributes.
_LOOKALIKE = re.compile(rf"<\s*/?\s*(?:{'|'.join(TAGS)})\b[^<>]*>?", re.IGNORECASE)
# Chat-template control tokens of the common families: <|im_end|>, <s>, </s>, [INST], <<SYS>>, <bos>, <pad> ...
_CONTROL = re.compile(
    r"<\s*\|[^<>|]{0,40}\|\s*>|<\s*/?\s*(?:s|bos|eos|pad|unk|mask|start_of_turn|end_of_turn)\s*>"
    r"|\[\s*/?\s*INST\s*\]|<<\s*/?\s*SYS\s*>>",
    re.IGNORECASE,
)
# Characters of format (Cf) are invisible and can split a tag so that a filter misses it.
_KEEP_CONTROLS = frozenset("\n\t")


@dataclass(frozen=True)
class Parsed:
    """The first legal action of a text. `content` is stripped; `verdict` is set for JUDGE; `start`:`end` are the
    character positions of the whole `<tag>...</tag>`. For INVALID `content` is empty and the span is empty."""

    action: Action
    content: str = ""
    verdict: Verdict | None = None
    start: int = 0
    end: int = 0


INVALID = Parsed(Action.INVALID)


def parse(text: str) -> Parsed:
    """The first legal action of what one policy call sampled; INVALID where there is none.

    Tags are exact (lower case, no blanks). A blank query, a blank answer, a verdict other than Yes / No, a nested or
    unclosed tag, and a tag of the environment before the action are all INVALID.
    """
    tags = list(_ANY_TAG.finditer(text))
    if len(tags) < 2:
        return INVALID
    opening, closing = tags[0], tags[1]
    name = opening.group()[1:-1]
    if name not in POLICY_TAGS or closing.group() != f"</{name}>":
        return INVALID
    content = text[opening.end() : closing.start()].strip()
    if not content:
        return INVALID
    action = Action(name)
    verdict = None
    if action is Action.JUDGE:
        if content not in (Verdict.YES.value, Verdict.NO.value):
            return INVALID
        verdict = Verdict(content)
    return Parsed(action, content, verdict, opening.start(), closing.end())


def render(action: Action, content: str) -> str:
    """The text of an action, as `parse` reads it back."""
    return f"<{action.value}>{content}</{action.value}>"


def neutralise(text: str, control_tokens: Sequence[str] = ()) -> str:
    """Untrusted text made harmless: no action tag, no tag look-alike, no chat-template control token survives.

    `control_tokens` are the strings of the policy tokenizer's own special tokens. Angle brackets of a tag become round
    ones, so a reader still sees what stood there. Invisible format characters and control characters are removed
    first: they could hide a tag from this filter. Idempotent.
    """
    text = "".join(
        char for char in text if char in _KEEP_CONTROLS or unicodedata.category(char) not in ("Cf", "Cc", "Cs", "Co")
    )
    while True:
        safe = _CONTROL.sub(_defuse, _LOOKALIKE.sub(_defuse, text))
        for token in control_tokens:
            if token and token in safe:
                safe = safe.replace(token, _defused(token))
        if safe == text:
            return safe
        text = safe


def _defuse(match: re.Match[str]) -> str:
    return _defused(match.group())


def _defused(token: str) -> str:
    """The token's words in round brackets: nothing that any tag or control token is made of."""
    words = " ".join(re.sub(r"[<>|\[\]/]", " ", token).split())
    if token in f"({words})":  # a control token that is a plain word: spell it out
        words = " ".join(token) if len(token) > 1 else ""
    return f"({words})"
