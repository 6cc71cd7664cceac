"""A search engine: passages that share the most words with the query, rare words counting more."""

import json
import math
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from pydantic import PrivateAttr

from corpora.record import Hit
from reseek.registry import Extension


class WordOverlap(Extension):
    """Reads a JSONL file of {id, title, text} (docs/corpora.md) into memory."""

    title_weight: float = 2.0
    _passages: list[dict] = PrivateAttr(default_factory=list)
    _holding: Counter = PrivateAttr(default_factory=Counter)

    def load(self, passages: Path) -> None:
        self._passages.extend(json.loads(line) for line in passages.read_text(encoding="utf-8").splitlines())
        for passage in self._passages:
            self._holding.update({*passage["title"].lower().split(), *passage["text"].lower().split()})

    async def search(self, queries: Sequence[str], k: int) -> list[list[Hit]]:
        return [self._best(query.lower().split(), k) for query in queries]

    def _best(self, words: list[str], k: int) -> list[Hit]:
        weight = {word: math.log(1 + len(self._passages) / (1 + self._holding[word])) for word in words}
        hits = [Hit(p["id"], p["title"], p["text"], self._score(p, weight)) for p in self._passages]
        return [hit for hit in sorted(hits, key=lambda hit: (-hit.score, hit.id))[:k] if hit.score > 0]

    def _score(self, p: dict, weight: dict[str, float]) -> float:
        title, text = (set(p[key].lower().split()) for key in ("title", "text"))
        return sum(w * (self.title_weight * (word in title) + (word in text)) for word, w in weight.items())

    def close(self) -> None:
        return None
