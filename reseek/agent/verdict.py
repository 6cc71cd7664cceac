"""The verdicts on observations: one table, from which all that depends on the verdict follows.

Parser, context, oracle labels, rewards, impact, replays, records and reports read a verdict's row and name no verdict
themselves, so a new row is a new verdict (docs/extending.md, "A third verdict"). Pure.
"""

import math
from collections.abc import Sequence
from enum import Enum


class Verdict(Enum):
    """What became of one observation. A row is the verdict's word, its grade, and whether the observation stays.

    The word is what a judge action contains and what records hold. The grade, from 0 (useless) to 1 (all that was
    needed), orders the verdicts: a score above grade x `oracle.threshold` calls for at least this verdict, and a wrong
    verdict is paid by its distance in grade from the right one.
    """

    grade: float
    stays: bool
    _value_: str

    YES = ("Yes", 1.0, True)
    """Judged useful: it stays in the context."""
    NO = ("No", 0.0, False)
    """Judged useless: the context policy decides what stays (drop, strict, keep)."""
    MISSING = ("missing", math.nan, True)
    """The policy acted on without judging: kept, and rewarded like a wrong verdict. No policy can say it."""

    def __new__(cls, word: str, grade: float, stays: bool) -> "Verdict":
        verdict = object.__new__(cls)
        verdict._value_, verdict.grade, verdict.stays = word, grade, stays
        return verdict

    def __bool__(self) -> bool:
        """Refuses: `if verdict` would be true of No."""
        raise TypeError(f"{self} is neither true nor false: compare it, as in `label is Verdict.NO`")

    @property
    def spoken(self) -> bool:
        """Whether it is a verdict that a policy gives, not the lack of one."""
        return self is not Verdict.MISSING

    @property
    def said(self) -> str:
        """What a report says of an observation with it."""
        return f"judged {self.value}" if self.spoken else "no verdict given"


SPOKEN = tuple(verdict for verdict in Verdict if verdict.spoken)
"""The verdicts that a policy can give."""
BINARY = (Verdict.YES, Verdict.NO)
"""The verdicts of a protocol that names no others."""


def spoken_verdict(word: str) -> Verdict | None:
    """The verdict of a word, exactly as written; None where no verdict has it."""
    return next((verdict for verdict in SPOKEN if verdict.value == word), None)


def called_for(score: float, threshold: float, offered: Sequence[Verdict] = BINARY) -> Verdict:
    """The verdict that an oracle's score calls for, of those that the policy may give: the highest whose part of the
    threshold it exceeds, else the lowest. With Yes and No: Yes iff score > threshold."""
    highest_first = sorted(offered, key=lambda verdict: verdict.grade, reverse=True)
    return next((one for one in highest_first if score > one.grade * threshold), highest_first[-1])
