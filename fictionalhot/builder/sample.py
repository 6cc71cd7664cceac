"""A stratified sample of the seeds to try. Pure.

Invariant: depends on the seeds, their ids and the random seed, not on their order; the strata (set, number of hops,
answer type) take turns until they are empty, so rare forms are sampled as often as frequent ones.
"""

import random
from collections import defaultdict
from collections.abc import Sequence

from fictionalhot.items.records import Seed


def sample(seeds: Sequence[Seed], count: int, random_seed: int) -> list[Seed]:
    """At most `count` seeds, in the order in which they are tried."""
    strata: dict[tuple[str, int, str], list[Seed]] = defaultdict(list)
    for seed in sorted(seeds, key=lambda seed: seed.id):
        strata[seed.source, len(seed.hops), seed.answer_type.value].append(seed)
    rng = random.Random(f"sample {random_seed}")
    for members in strata.values():
        rng.shuffle(members)
    queues = [strata[key] for key in sorted(strata)]
    chosen: list[Seed] = []
    while len(chosen) < count and any(queues):
        for queue in queues:
            if queue and len(chosen) < count:
                chosen.append(queue.pop())
    return chosen
