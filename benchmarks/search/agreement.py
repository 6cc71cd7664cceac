"""The agreement of our BM25 with bm25s, which shares no code with it, on the same terms.

`python -m benchmarks.search.agreement INDEX CORPUS QUERIES` is the process that compares. The terms are those of
Lucene's English analyser (there is no second one to compare it with); scores, statistics and order are bm25s's own.
"""

import asyncio
import json
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import bm25s
import numpy as np

from benchmarks.search.material import Material
from corpora.engine import batched, default_analyzer
from corpora.jvm import java_class
from corpora.manifest import read_manifest
from corpora.passages import read_passages
from reseek.search.lucene import LuceneSearch

K, QUERIES = 3, 1000
_BATCH = 256
# A word that no passage contains and that the stemmer leaves alone: passages cross to Java and back many at once.
_FENCE = "qzxjfenceqzxj"


def measure_agreement(material: Material, index: Path, scratch: Path) -> dict:
    """Over 1,000 queries: the mean share of the top 3 that both have, and the share of queries with equal top 3."""
    queries = scratch / "agreement-queries.json"
    queries.write_text(json.dumps(material.queries[:QUERIES]))
    try:
        command = [sys.executable, "-m", "benchmarks.search.agreement", str(index), str(material.corpus), str(queries)]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
        return json.loads(done.stdout.splitlines()[-1])
    finally:
        queries.unlink()


def terms_of(texts: Iterable[str]) -> Iterator[list[str]]:
    """The terms of each text, by the analyser of every index and query here."""
    analyser, analyse = default_analyzer(), java_class("io.anserini.analysis.AnalyzerUtils").analyze
    for batch in batched(texts, _BATCH):
        # As one Java string: terms hold no white space, so ", " only separates them.
        terms = analyse(analyser, f" {_FENCE} ".join(batch)).toString()[1:-1].split(", ")
        ends = [*(place for place, term in enumerate(terms) if term == _FENCE), len(terms)]
        if len(ends) != len(batch):
            raise RuntimeError(f"{len(batch)} texts gave {len(ends)} lists of terms")
        starts = [0, *(end + 1 for end in ends)]
        yield from (terms[start:end] for start, end in zip(starts, ends, strict=False))


def main() -> None:
    index, corpus, queries = map(Path, sys.argv[1:])
    manifest = read_manifest(index)
    asked = json.loads(queries.read_text())
    ids: list[str] = []

    def texts() -> Iterator[str]:
        for passage in read_passages(corpus):
            ids.append(passage.id)
            yield f"{passage.title} {passage.text}"

    reference = bm25s.BM25(method="lucene", k1=manifest.k1, b=manifest.b)
    reference.index(list(terms_of(texts())), show_progress=False)
    found = asyncio.run(LuceneSearch(index).search(asked, K))
    overlap, equal = [], []
    for terms, hits in zip(terms_of(asked), found, strict=True):
        scores_N = reference.get_scores(terms)
        best = np.argpartition(-scores_N, K)[:K]
        theirs = {ids[i] for i in best if scores_N[i] > 0}
        ours = {hit.id for hit in hits}
        overlap.append(len(ours & theirs) / max(len(ours), len(theirs), 1) if ours or theirs else 1.0)
        equal.append(ours == theirs)
    print(
        json.dumps(
            {
                "queries": len(asked),
                "bm25s_top3_overlap": round(float(np.mean(overlap)), 4),
                "bm25s_top3_equal": round(float(np.mean(equal)), 4),
            }
        )
    )


if __name__ == "__main__":
    main()
