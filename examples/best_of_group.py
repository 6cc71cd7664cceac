"""An advantage estimator: only the best sessions of a question are reinforced, all by the same amount."""

from collections.abc import Sequence
from typing import ClassVar

from reseek.registry import Extension
from reseek.training.credit.estimators import Credited, Session


class BestOfGroup(Extension):
    """`push` on every trained token of the sessions with the highest total reward, 0 elsewhere; all alike: 0."""

    compares_sessions: ClassVar[bool] = True
    push: float = 1.0

    def credit(self, group: Sequence[Session]) -> Credited:
        totals = [session.total for session in group]
        best = max(totals) if max(totals) > min(totals) else float("inf")
        rows = tuple(
            tuple(self.push * (session.total >= best) * segment.mask_T.double() for segment in session.segments)
            for session in group
        )
        return Credited(rows, rows)
