"""A row of supervised training: the tokens of one context and which of them the agent said."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Row:
    """One training row: token ids, and 1 where the agent spoke."""

    ids: tuple[int, ...]
    mask: tuple[int, ...]
