"""`python -m benchmarks.search`: the command. Indexes and generated passages are kept in the cache: RESEEK_CACHE or
.cache/reseek. Knows nothing of how systems are measured."""

import json
import os
import sys
from pathlib import Path
from time import monotonic
from typing import Annotated

import psutil
import typer
from rich.console import Console

from benchmarks.search.building import ensure_index
from benchmarks.search.material import Material, generated, real
from benchmarks.search.measure import Plan, measure
from benchmarks.search.report import case_table, figures, goal_table, index_table, summary
from reseek.errors import InputError

SMALL, LARGE = 50_000, 1_000_000
_QUICK = Plan(rounds=1, many=1000, single=200, warm_up=800)
_FULL = Plan(rounds=5, many=2000, single=500, warm_up=2500)
_WIDTH = 132


def main(
    quick: Annotated[bool, typer.Option("--quick", help="under a minute: one round, fewer queries")] = False,
    large: Annotated[bool, typer.Option("--large", help="also on 1,000,000 generated passages")] = False,
    passages: Annotated[int, typer.Option(min=1000, help="how many are generated with --large")] = LARGE,
) -> None:
    """How fast is BM25 search in process, as a service, and as the field's plain server?

    On 73,206 real passages where ../shared/data has them, else on generated ones. Each system gets the same distinct
    queries, from one client and from 64 at once; the load comes from a process of its own, whose CPU is reported. The
    last line is one JSON object; its goals: in_process_vs_lucene_batch >= 0.9, service_vs_in_process >= 0.5,
    service_vs_serial_64 >= 1.5, worst_p99_over_p50 <= 10.
    """
    cache = Path(os.environ.get("RESEEK_CACHE", ".cache/reseek")).resolve() / "search-benchmark"
    cache.mkdir(parents=True, exist_ok=True)
    started = monotonic()
    console = Console(highlight=False, width=max(_WIDTH, Console().width))
    materials: list[Material] = [real() or generated(SMALL, cache)]
    if large:
        materials.append(generated(passages, cache))
    corpora = {}
    for material in materials:
        index, built = ensure_index(material, cache)
        corpora[material.name] = figures(measure(material, index, _QUICK if quick else _FULL, cache)) | {"index": built}
        console.print(case_table(material.name, corpora[material.name]))
    result = summary(corpora)
    console.print(index_table(corpora))
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
