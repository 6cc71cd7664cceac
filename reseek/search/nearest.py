"""The nearest passages to a vector, in an order that does not depend on rounding.

faiss' own scores differ in the last digits with the number of queries asked at once (it changes the algorithm), and it
breaks ties arbitrarily. Here faiss only proposes candidates; their inner products are computed in float64, row by row,
and rounded to DECIMALS. Invariant: of a flat index, whatever the batch, a query gets every row whose rounded score
is among the k best, ties of the last included; of an HNSW index, every such row that its walk met.
"""

from typing import Any

import numpy as np

DECIMALS = 5
"""Far above the noise of float32 (about 3e-7 for vectors of length 1), far below meaningful differences."""
_MARGIN = 2 * 10.0**-DECIMALS
_SPARE = 8


def nearest(index: Any, queries_QD: np.ndarray, k: int) -> list[list[tuple[int, float]]]:
    """Per query, (row, score) of the `k` best rows and of those tied with the last of them, best first; fewer if the
    index returns fewer."""
    found_QN = index.search(queries_QD, min(k + _SPARE, index.ntotal))[1]
    return [_best(index, query_D, rows_N, k) for query_D, rows_N in zip(queries_QD, found_QN, strict=True)]


def _best(index: Any, query_D: np.ndarray, rows_N: np.ndarray, k: int) -> list[tuple[int, float]]:
    while True:
        rows = rows_N[rows_N >= 0]  # HNSW pads with -1
        products_ND = index.reconstruct_batch(rows).astype(np.float64) * query_D
        scores_N = np.round(products_ND.sum(axis=1), DECIMALS)
        last = np.sort(scores_N)[-k] if len(rows) >= k else -np.inf
        whole = len(rows) < len(rows_N) or len(rows_N) == index.ntotal
        if whole or scores_N.min() < last - _MARGIN:
            break
        # All candidates could tie with the k-th, and so could rows beyond them.
        rows_N = index.search(query_D[None], min(2 * len(rows_N), index.ntotal))[1][0]
    order = np.argsort(-scores_N, kind="stable")
    return [(int(rows[place]), float(scores_N[place])) for place in order if scores_N[place] >= last]
