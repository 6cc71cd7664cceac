"""The dense part: our service against one that encodes and searches one query after another, over the same index.

The index of the small corpus is built once (MiniLM: some six minutes on two idle cores) and kept in the cache.
"""

from pathlib import Path

from benchmarks.search.building import is_usable
from benchmarks.search.material import Material
from benchmarks.search.measure import MANY, Case, Plan, measure
from corpora.dense.build import DenseSpec, build_dense

CASES = (
    Case("in_process", 1),
    Case("in_process", MANY),
    Case("serial", 1),
    Case("serial", MANY),
    Case("service", 1),
    Case("service", MANY),
)
_LONGEST = 64
"""Tokens kept of a passage: this halves the time to build the index and does not change that of searching."""


def measure_dense(material: Material, plan: Plan, cache: Path) -> dict:
    """The measured cases, as `measure` gives them."""
    index = cache / f"dense-{material.corpus.name.partition('.')[0]}"
    if not is_usable(index):
        build_dense(material.corpus, index, DenseSpec(max_length=_LONGEST), overwrite=index.is_dir())
    return measure(material, index, plan, cache, CASES)
