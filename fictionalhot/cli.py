"""The commands that make fictional worlds: `reseek fictionalhot world` and `reseek fictionalhot universe`."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from fictionalhot.worlds.large.write import write_universe
from fictionalhot.worlds.small.names import Split
from fictionalhot.worlds.small.world import DEFAULT_SIZES, WorldSizes, ensure_world

_TRAIN, _HELD_OUT = DEFAULT_SIZES.train, DEFAULT_SIZES.held_out


def universe(
    out: Annotated[Path, typer.Option(help="the folder to make")],
    entities: Annotated[int, typer.Option(help="each has a page; a multiple of 100, at most a million")] = 10_000,
    questions: Annotated[int, typer.Option(help="1 to 4 hops, comparison, intersection, count, date, in turn")] = 2_000,
    seed: Annotated[int, typer.Option(help="seed of the universe")] = 0,
) -> None:
    """Make a large world: passages.jsonl, questions.jsonl, facts.jsonl (for the solver) and, last, universe.json."""
    manifest = write_universe(out, entities, questions, seed)
    print(f"{out}: {manifest.entities:,} passages, {manifest.facts:,} facts, {manifest.questions:,} questions")


def world(
    out: Annotated[Path, typer.Option(help="the folder to make; an identical world already there is kept")],
    seed: Annotated[int, typer.Option(help="seed of the world")] = 0,
    people: Annotated[int, typer.Option(help="people of the training split")] = _TRAIN.people,
    towns: Annotated[int, typer.Option(help="towns of the training split")] = _TRAIN.towns,
    companies: Annotated[int, typer.Option(help="companies of the training split")] = _TRAIN.companies,
    works: Annotated[int, typer.Option(help="works of the training split")] = _TRAIN.works,
    questions: Annotated[int, typer.Option(help="questions of the training split")] = _TRAIN.questions,
    held_out_questions: Annotated[int, typer.Option(help="questions of validation and of test")] = _HELD_OUT.questions,
) -> None:
    """Make a world: passages.jsonl, questions.{train,validation,test}.jsonl and, last, world.json."""
    train = replace(_TRAIN, people=people, towns=towns, companies=companies, works=works, questions=questions)
    sizes = WorldSizes(train, replace(_HELD_OUT, questions=held_out_questions))
    files = ensure_world(out, seed, sizes)
    asked = ", ".join(f"{files.manifest.questions[split.value]} {split.value}" for split in Split)
    print(f"{files.folder}: {files.manifest.passages} passages; questions: {asked}")
