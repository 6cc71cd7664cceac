"""`python -m benchmarks.rollout`: the command. Prepares, warms up, measures, prints.

The world and the model are made once and cached in RESEEK_CACHE or .cache/reseek. vLLM's output goes to
`rollout-benchmark.log` there.
"""

import asyncio
import gc
import json
import os
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from time import monotonic
from typing import Annotated

import typer
from rich.console import Console

from benchmarks.rollout.engine import ExactEngine
from benchmarks.rollout.latency import NO_LATENCY, SPREAD, Latency
from benchmarks.rollout.lengths import read_lengths
from benchmarks.rollout.measure import Bench, Duel, Pair, Strategy, measure
from benchmarks.rollout.own_cost import EPISODES, InstantEngine, own_ms
from benchmarks.rollout.report import summary, table
from benchmarks.rollout.strategies import asynchronous
from benchmarks.rollout.workload import make_workload
from reseek.config.policy import MicroStart
from reseek.config.run import ClusterSettings
from reseek.errors import InputError
from reseek.run.terminal import output_to
from reseek.run.variables import cpu_environment

IN_FLIGHT = 128
_20_MS = Latency("log-normal, mean 20 ms", 0.02)
_200_MS = Latency("log-normal, mean 200 ms", 0.2)
_CONSTANT = Latency("constant 200 ms", 0.2, spread=0.0)
_WIDTH = 140  # too narrow a terminal wraps the lines; rich would cut the numbers instead
_ENVIRONMENT = {
    "TOKENIZERS_PARALLELISM": "false",
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    "VLLM_NO_USAGE_STATS": "1",
    "DO_NOT_TRACK": "1",
}


@dataclass(frozen=True)
class Plan:
    """The amount of work. The limit is measured on more episodes: while the last ones end, slots stay empty, which is
    due to the episodes and not to the program."""

    latencies: tuple[Latency, ...]
    episodes: int
    repeats: int
    limit_episodes: int
    limit_repeats: int


_QUICK = Plan((_200_MS,), episodes=128, repeats=1, limit_episodes=768, limit_repeats=1)
_FULL = Plan((NO_LATENCY, _20_MS, _200_MS, _CONSTANT), episodes=512, repeats=3, limit_episodes=1024, limit_repeats=5)


def main(
    quick: Annotated[bool, typer.Option("--quick", help="under a minute: fewer episodes, latencies, repeats")] = False,
    episodes: Annotated[int | None, typer.Option(help="episodes per run, instead of 128 to 1024", min=1)] = None,
    repeats: Annotated[int | None, typer.Option(help="repeats of each pair, instead of 1, 3 or 5", min=1)] = None,
    threads: Annotated[
        int, typer.Option(help="the engine's OpenMP threads: micro gains nothing from a second", min=1)
    ] = 1,
) -> None:
    """How fast are many episodes at once?

    The same episodes (their lengths: benchmarks/rollout/episode_lengths.json) run on one vLLM engine with the micro
    model, 128 of them in flight, their searches answered from memory after a latency:

    - asynchronous episodes: ours. Each continues as soon as its own call or search is done.

    - turn-synchronous loop: 128 episodes take each turn together and wait for the slowest query.

    - engine's limit: the same calls, known beforehand and submitted at once.

    The episodes' own cost is the CPU time of asynchronous episodes with an engine that answers at once.

    "ours is faster by" is the median over the repeats of (the other's seconds / ours), measured side by side. The last
    line is one JSON object; its goals: vs_turn_synchronous_200ms >= 1.5, vs_engine_limit_0ms >= 0.9. Run it on an
    otherwise idle machine: episodes and engine are two threads, and a neighbour's load delays their taking turns.
    """
    cache = Path(os.environ.get("RESEEK_CACHE", ".cache/reseek")).resolve()
    cache.mkdir(parents=True, exist_ok=True)
    # Before torch is imported: OpenMP reads it once.
    os.environ.update(cpu_environment(ClusterSettings(forward_tokens=1, threads=threads)) | _ENVIRONMENT)
    plan = _QUICK if quick else _FULL
    if episodes is not None:
        plan = replace(plan, episodes=episodes, limit_episodes=episodes)
    if repeats is not None:
        plan = replace(plan, repeats=repeats, limit_repeats=repeats)
    started = monotonic()
    with output_to(cache / "rollout-benchmark.log", verbose=False) as terminal:
        console = Console(file=terminal, highlight=False, soft_wrap=True)
        facts: dict[str, int | float | str | None]
        facts = {"in_flight": IN_FLIGHT, "latency_spread": SPREAD, "threads": threads, "cores": os.cpu_count()}
        facts["load_before"] = round(os.getloadavg()[0], 1)
        duels, own, facts["prefix_caching"] = _run(cache, plan, console)
        facts["seconds_in_all"] = round(monotonic() - started, 1)
        Console(file=terminal, width=max(console.width, _WIDTH)).print(table(duels, own, IN_FLIGHT))
        print(json.dumps(summary(duels, own, facts)), file=terminal)


def _run(cache: Path, plan: Plan, console: Console) -> tuple[list[Duel], float, str]:
    """The duels, the episodes' own cost in milliseconds, and how the engine's prefix cache was set."""
    # Here: these import torch.
    from fictionalhot.worlds.small.world import ensure_world
    from reseek.micro.demonstrations import MICRO_AGENT
    from reseek.micro.model import make_tokenizer, syllable_ids
    from reseek.micro.warmup import ensure_micro
    from reseek.policy.vllm import EngineOptions, VllmPolicy

    world = ensure_world(cache / "world-0")
    model = ensure_micro(cache, world, MicroStart.CAPABLE, seed=0, steps=0)  # random weights: its output is discarded
    tokenizer = make_tokenizer()
    after_a_blank = syllable_ids(tokenizer)[0]
    room = MICRO_AGENT.prompt_tokens + MICRO_AGENT.response_tokens
    alone = make_workload(read_lengths(), EPISODES, tokenizer, after_a_blank, MICRO_AGENT)
    own = own_ms(lambda: asyncio.run(asynchronous(alone, InstantEngine(), alone, IN_FLIGHT)), EPISODES)
    console.print("starting vLLM")
    with VllmPolicy(str(model), EngineOptions("cpu", "float32", max_model_len=room, concurrency=IN_FLIGHT)) as policy:
        engine = ExactEngine(policy)

        def prepare() -> None:
            engine.forget()
            gc.collect()  # not during a measured run

        def bench(episodes: int) -> Bench:
            workload = make_workload(read_lengths(), episodes, tokenizer, after_a_blank, MICRO_AGENT)
            return Bench(workload, engine, prepare, IN_FLIGHT)

        long, short = bench(plan.limit_episodes), bench(plan.episodes)
        long.warm_up()
        pairs = [Pair(long, Strategy.ENGINE_LIMIT, NO_LATENCY, plan.limit_repeats)]
        pairs += [Pair(short, Strategy.TURN_SYNCHRONOUS, latency, plan.repeats) for latency in plan.latencies]
        return measure(pairs, console.print), own, engine.prefix_caching


if __name__ == "__main__":
    app = typer.Typer(pretty_exceptions_enable=False, add_completion=False)
    app.command()(main)
    try:
        app()
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
