"""A cache before a scorer: a pair is scored only once, in this run or a later one.

Invariant: a caller gets the score that exactly this model gave to exactly this pair; a failure is never cached. The key
is a hash of the model's identity and the pair.
"""

import hashlib
from collections.abc import Sequence

from reseek.oracle.pairs import Pair
from reseek.oracle.score_store import ScoreStore
from reseek.oracle.scorer import Scorer


class CachedScorer:
    """A `Scorer` over another. `identity` names the model; `hits` and `misses` count distinct pairs of each call."""

    def __init__(self, scorer: Scorer, identity: str, store: ScoreStore) -> None:
        self.inner, self.identity, self.store = scorer, identity, store
        self.hits = self.misses = 0

    async def score(self, pairs: Sequence[Pair]) -> list[float]:
        """As `Scorer.score`."""
        key_of = {pair: key(self.identity, pair) for pair in pairs}
        known = await self.store.read(list(key_of.values()))
        missing = [pair for pair, its_key in key_of.items() if its_key not in known]
        self.hits += len(key_of) - len(missing)
        self.misses += len(missing)
        if missing:
            fresh = {key_of[p]: s for p, s in zip(missing, await self.inner.score(missing), strict=True)}
            await self.store.write(fresh)
            known |= fresh
        return [known[key_of[pair]] for pair in pairs]

    def close(self) -> None:
        self.store.close()
        self.inner.close()


def key(identity: str, pair: Pair) -> bytes:
    """16 bytes: among a billion scores two keys agree with a probability below 1e-20. Lengths are hashed too, so that
    no other way to cut the same characters gives the same key."""
    digest = hashlib.blake2b(digest_size=16)
    for part in (identity, *pair):
        content = part.encode("utf-8", "surrogatepass")
        digest.update(len(content).to_bytes(8, "little") + content)
    return digest.digest()
