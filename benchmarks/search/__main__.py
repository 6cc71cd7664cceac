"""`python -m benchmarks.search`: the command. Indexes and generated passages are kept in the cache: RESEEK_CACHE or
.cache/reseek."""

import json
import os
import sys
from pathlib import Path
from time import monotonic
from typing import Annotated

import psutil
import typer
from rich.console import Console

from benchmarks.search.agreement import measure_agreement
from benchmarks.search.building import ensure_index
from benchmarks.search.dense import measure_dense
from benchmarks.search.injecting import measure_injection
from benchmarks.search.material import generated, real
from benchmarks.search.measure import Plan, measure
from benchmarks.search.report import (
    case_table,
    dense_figures,
    figures,
    goal_table,
    index_table,
    injection_table,
    summary,
)
from reseek.errors import InputError

SMALL, LARGE = 50_000, 1_000_000
_QUICK = Plan(rounds=1, many=1000, single=200, warm_up=800)
_FULL = Plan(rounds=5, many=2000, single=500, warm_up=2500)
_DENSE = Plan(rounds=3, many=600, single=100, warm_up=200)
_WIDTH = 132


def main(
    quick: Annotated[
        bool, typer.Option("--quick", help="a minute with an existing index: one round, the small corpus alone")
    ] = False,
    passages: Annotated[int, typer.Option(min=10_000, help="size of the large, generated corpus")] = LARGE,
) -> None:
    """How fast is search in process, as a service, and as Search-R1's plain server? How fast is injecting?

    On 73,206 real passages if ../shared/data has them, else on generated ones, and on 1,000,000 generated ones. Each
    system gets the same distinct queries, from one client and from 64 at once; the load comes from a process of its
    own, whose CPU is reported. 2,000 passages are injected, against rebuilding the whole index. The last line is
    one JSON object with the goals' keys.
    """
    cache = Path(os.environ.get("RESEEK_CACHE", ".cache/reseek")).resolve() / "search-benchmark"
    cache.mkdir(parents=True, exist_ok=True)
    started = monotonic()
    console = Console(highlight=False, width=max(_WIDTH, Console().width))
    small = real() or generated(SMALL, cache)
    large = small if quick else generated(passages, cache)
    corpora = {}
    for material in dict.fromkeys((small, large)):
        console.print(f"{material.name}: index, then each system in turn", style="dim")
        index, built = ensure_index(material, cache)
        corpora[material.name] = figures(measure(material, index, _QUICK if quick else _FULL, cache)) | {"index": built}
        console.print(case_table(material.name, corpora[material.name]))
    index, built = ensure_index(large, cache)
    injection = measure_injection(large, index, cache)
    further = {}
    if not quick:
        console.print(f"{small.name}: dense search, then agreement with bm25s", style="dim")
        dense = dense_figures(measure_dense(small, _DENSE, cache))
        console.print(case_table(f"{small.name}, dense (MiniLM, flat)", dense))
        ratios = {key: value for key, value in dense.items() if key.startswith("dense_")}
        further = measure_agreement(small, ensure_index(small, cache)[0], cache) | ratios | {"dense": dense}
    result = summary(corpora, injection, further)
    console.print(index_table(corpora))
    console.print(injection_table(large.name, injection))
    console.print(goal_table(result))
    result |= {
        "cores": len(os.sched_getaffinity(0)),
        "load_average": [round(one, 1) for one in psutil.getloadavg()],
        "seconds_in_all": round(monotonic() - started, 1),
    }
    print(json.dumps(result))


if __name__ == "__main__":
    app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)
    app.command()(main)
    try:
        app(prog_name="python -m benchmarks.search")
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
