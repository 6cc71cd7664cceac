"""The measured injection of 2,000 passages against a rebuild of the whole index, and whether both answer alike.

`python -m benchmarks.search.injecting BASE CORPUS QUERIES FOLDER` is the process that measures: it injects once cold
(with the start of Java), then a few times warm, builds the index of the union, asks both.
"""

import asyncio
import itertools
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from statistics import median

from benchmarks.search.material import Material
from corpora.build import build_index
from corpora.passages import read_passages
from corpora.record import Hit, Passage
from corpora.snapshot import Phase, inject
from reseek.search.lucene import LuceneSearch

ADDED, K, QUERIES, WARM = 2000, 10, 500, 3
TOLERANCE = 1e-4


def measure_injection(material: Material, base: Path, scratch: Path) -> dict:
    """Seconds of injecting (`verification_seconds` apart) and of a rebuild, their ratio, and whether the top 10 of 500
    queries are equal."""
    queries, folder = scratch / "injection-queries.json", scratch / "injection"
    queries.write_text(json.dumps(material.queries[:QUERIES]))
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    try:
        command = [sys.executable, "-m", "benchmarks.search.injecting", str(base), str(material.corpus)]
        done = subprocess.run([*command, str(queries), str(folder)], stdout=subprocess.PIPE, text=True, check=True)
        return json.loads(done.stdout.splitlines()[-1])
    finally:
        shutil.rmtree(folder)
        queries.unlink()


def added_passages(corpus: Path) -> list[Passage]:
    """New passages in the corpus's own words: titles of its first ones, texts of the next."""
    first = list(itertools.islice(read_passages(corpus), 2 * ADDED))
    pairs = zip(first[:ADDED], first[ADDED:], strict=True)
    return [Passage(id=f"new{i}", title=one.title, text=other.text) for i, (one, other) in enumerate(pairs)]


def injected(base: Path, new: list[Passage], name: Path) -> tuple[float, float]:
    """Seconds of the injection without its verification, and of the verification."""
    begun: list[tuple[Phase, float]] = []
    started = time.perf_counter()
    inject(base, new, name, on_phase=lambda phase: begun.append((phase, time.perf_counter())))
    ended = time.perf_counter()
    at = dict(begun)
    verifying = at[Phase.PLACING] - at[Phase.VERIFYING]
    return ended - started - verifying, verifying


def rebuilt(corpus: Path, new: list[Passage], folder: Path) -> float:
    """Seconds of building the index of the corpus and the new passages."""
    union = folder / "union.jsonl"
    with union.open("w", encoding="utf-8") as file:
        for passage in itertools.chain(read_passages(corpus), new):
            file.write(passage.model_dump_json() + "\n")
    started = time.perf_counter()
    build_index(union, folder / "rebuilt", threads=2)
    seconds = time.perf_counter() - started
    union.unlink()
    return seconds


def same_ranking(ours: Sequence[Hit], theirs: Sequence[Hit], tolerance: float = TOLERANCE) -> bool:
    """Whether two rankings have equal scores, and above the last score the same passages at equal scores. Passages
    that tie with the last one may be beyond the cut."""
    if len(ours) != len(theirs):
        return False
    if any(abs(one.score - other.score) > tolerance for one, other in zip(ours, theirs, strict=True)):
        return False
    last = ours[-1].score + tolerance if ours else 0.0
    scores = {hit.id: hit.score for hit in theirs}
    return all(hit.score <= last or abs(scores.get(hit.id, last) - hit.score) <= tolerance for hit in ours)


def main() -> None:
    base, corpus, queries, folder = map(Path, sys.argv[1:])
    new = added_passages(corpus)
    (cold, _), *warm = [injected(base, new, folder / f"injected{number}") for number in range(1 + WARM)]
    rebuild = rebuilt(corpus, new, folder)
    asked = json.loads(queries.read_text())
    found = [asyncio.run(LuceneSearch(index).search(asked, K)) for index in (folder / "injected0", folder / "rebuilt")]
    equal = sum(map(same_ranking, *found))
    inject_s = median(seconds for seconds, _ in warm)
    print(
        json.dumps(
            {
                "passages_added": len(new),
                "inject_seconds": round(inject_s, 3),
                "inject_cold_seconds": round(cold, 3),
                "verification_seconds": round(median(seconds for _, seconds in warm), 3),
                "rebuild_seconds": round(rebuild, 1),
                "inject_vs_rebuild": round(rebuild / inject_s, 1),
                "inject_cold_vs_rebuild": round(rebuild / cold, 1),
                "queries": len(asked),
                "top10_equal": equal,
            }
        )
    )


if __name__ == "__main__":
    main()
