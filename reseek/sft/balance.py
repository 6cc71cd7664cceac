"""Choosing episodes so that Yes and No are balanced at each position of an observation.

Invariant: among the chosen episodes that have the same labels before a position, the number of Yes at that position is
the wanted share to within one episode, and as many are chosen as this allows. Observations without a label, and labels
other than Yes and No, never count. Pure: the same outcomes and seed give the same choice.
"""

import math
import random
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from reseek.agent.verdict import Verdict
from reseek.sft.outcomes import Outcome


def balanced(outcomes: Sequence[Outcome], yes_share: float, seed: int) -> frozenset[int]:
    """The indices of the episodes that are kept."""
    root = _tree(outcomes, list(range(len(outcomes))), 0, yes_share)
    return frozenset(_chosen(root, root.capacity, yes_share, random.Random(f"balance {seed}")))


def trained_guesses(guesses: Sequence[int], others: int, share: float, whole: bool, seed: int) -> frozenset[int]:
    """Which of the guessed episodes train their last answer: at most `share` of all that are kept. `whole`: the other
    guesses are kept without their answer, and count; else they are left out."""
    allowed = share * (others + len(guesses)) if whole or share == 1 else share / (1 - share) * others
    count = min(len(guesses), math.floor(allowed + 1e-9))
    return frozenset(random.Random(f"guesses {seed}").sample(list(guesses), count))


@dataclass(frozen=True)
class _Node:
    """Episodes with the same labels so far: those that ended, and the rest by their next label. `pair` is how many of
    Yes and No together can be chosen."""

    ended: tuple[int, ...]
    yes: "_Node | None"
    no: "_Node | None"
    others: tuple["_Node", ...]
    pair: int

    @property
    def capacity(self) -> int:
        return len(self.ended) + self.pair + sum(node.capacity for node in self.others)


def _yes_of(count: int, share: float) -> int:
    return math.floor(share * count + 0.5)


def _tree(outcomes: Sequence[Outcome], members: Sequence[int], position: int, share: float) -> _Node:
    ended, by_label = [], defaultdict(list)
    for index in members:
        labels = outcomes[index].labels
        if position == len(labels):
            ended.append(index)
        else:
            by_label[labels[position]].append(index)
    nodes = {label: _tree(outcomes, of_label, position + 1, share) for label, of_label in by_label.items()}
    yes, no = nodes.pop(Verdict.YES, None), nodes.pop(Verdict.NO, None)
    most_yes, most_no = (node.capacity if node else 0 for node in (yes, no))
    pair = most_yes + most_no
    while _yes_of(pair, share) > most_yes or pair - _yes_of(pair, share) > most_no:
        pair -= 1
    return _Node(tuple(ended), yes, no, tuple(nodes.values()), pair)


def _chosen(node: _Node | None, count: int, share: float, rng: random.Random) -> list[int]:
    """`count` episodes of the node, its groups in proportion to what they can give."""
    if node is None or count == 0:
        return []
    sizes = [node.pair, len(node.ended), *(other.capacity for other in node.others)]
    pair, ended, *rest = _in_proportion(sizes, count)
    yes = _yes_of(pair, share)
    found = rng.sample(node.ended, ended) + _chosen(node.yes, yes, share, rng)
    found += _chosen(node.no, pair - yes, share, rng)
    for other, of_other in zip(node.others, rest, strict=True):
        found += _chosen(other, of_other, share, rng)
    return found


def _in_proportion(sizes: Sequence[int], count: int) -> list[int]:
    """`count` split over groups of these sizes by largest remainder; never more than a group has."""
    total = sum(sizes)
    parts = [count * size // total for size in sizes]
    by_remainder = sorted(range(len(sizes)), key=lambda i: (-(count * sizes[i] % total), i))
    for i in by_remainder[: count - sum(parts)]:
        parts[i] += 1
    return parts
