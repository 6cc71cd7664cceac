"""Small made-up corpora for tests: passages, questions to them, files, and what to compare."""

import asyncio
import gzip
import hashlib
import random
from itertools import groupby
from pathlib import Path

from corpora.record import Passage


def made_up_words(rng, number):
    """Words of z and vowels: no stopword, and no ending that the stemmer would take for English."""
    words = set()
    while len(words) < number:
        words.add("".join(rng.choice("zkmpv") + rng.choice("aou") for _ in range(3)) + "zk")
    return sorted(words)


def made_up_passages(number, *, prefix="p", seed=7):
    """Passages over WORDS, a few of them frequent as in a language."""
    rng = random.Random(seed)
    weights = [1 / (rank + 1) for rank in range(len(WORDS))]
    return [
        Passage(
            id=f"{prefix}{i}",
            title=" ".join(rng.choices(WORDS, k=2)),
            text=" ".join(rng.choices(WORDS, weights, k=rng.randint(10, 36))),
        )
        for i in range(number)
    ]


WORDS = made_up_words(random.Random(7), 400)
PASSAGES = made_up_passages(200)


def some_queries(number, seed=1):
    rng = random.Random(seed)
    return [" ".join(rng.choices(WORDS, k=rng.randint(1, 6))) for _ in range(number)]


def write(path, passages):
    """A JSONL file of passages, gzipped where the name says so."""
    lines = "".join(passage.model_dump_json() + "\n" for passage in passages).encode()
    path.write_bytes(gzip.compress(lines) if path.suffix == ".gz" else lines)
    return path


def ask(search, queries, k=3):
    return asyncio.run(search.search(queries, k))


def leftovers(folder):
    return [path.name for path in folder.iterdir() if path.name.startswith(".")]


def hashes(folder: Path) -> dict[str, str]:
    """The content of every file of a folder, by name."""
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in folder.iterdir()}


def agree(one, other, tolerance=1e-4):
    """Whether two rankings of one query are the same: equal scores, ties as sets (the last tie may be cut)."""
    if len(one) != len(other):
        return False
    if any(abs(mine.score - yours.score) > tolerance for mine, yours in zip(one, other, strict=True)):
        return False
    mine, yours = _ties(one, tolerance), _ties(other, tolerance)
    return [len(tie) for tie in mine] == [len(tie) for tie in yours] and mine[:-1] == yours[:-1]


def _ties(hits, tolerance):
    level, levels = 0, []
    for hit, before in zip(hits, [None, *hits], strict=False):
        level += before is not None and before.score - hit.score > tolerance
        levels.append((level, hit.id))
    return [{id for _, id in tie} for _, tie in groupby(levels, key=lambda pair: pair[0])]
