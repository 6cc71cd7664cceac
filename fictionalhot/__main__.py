"""`python -m fictionalhot world|universe --out DIR`: make a fictional world."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from fictionalhot.worlds.large.write import write_universe
from fictionalhot.worlds.small.names import Split
from fictionalhot.worlds.small.world import DEFAULT_SIZES, WorldSizes, ensure_world
from reseek.errors import InputError

app = typer.Typer(add_completion=False, no_args_is_help=True, help="Fictional worlds: facts that exist nowhere else.")

_TRAIN, _HELD_OUT = DEFAULT_SIZES.train, DEFAULT_SIZES.held_out


@app.command()
def universe(
    out: Annotated[Path, typer.Option(help="the folder to make")],
    entities: Annotated[int, typer.Option(help="a multiple of 100 up to a million; each has a page")] = 10_000,
    questions: Annotated[int, typer.Option(help="1 to 4 hops, comparison, intersection, count, date, in turn")] = 2_000,
    seed: Annotated[int, typer.Option(help="another seed, another universe")] = 0,
) -> None:
    """Make a universe: passages.jsonl, questions.jsonl, facts.jsonl (for the solver) and, last, universe.json."""
    try:
        manifest = write_universe(out, entities, questions, seed)
    except InputError as error:
        Console(stderr=True).print(f"fictionalhot: {error}", markup=False, soft_wrap=True)
        raise typer.Exit(2) from None
    print(f"{out}: {manifest.entities:,} passages, {manifest.facts:,} facts, {manifest.questions:,} questions")


@app.command()
def world(
    out: Annotated[Path, typer.Option(help="the folder to make; an equal world already there is kept")],
    seed: Annotated[int, typer.Option(help="another seed, another world")] = 0,
    people: Annotated[int, typer.Option(help="people of the training split")] = _TRAIN.people,
    towns: Annotated[int, typer.Option(help="towns of the training split")] = _TRAIN.towns,
    companies: Annotated[int, typer.Option(help="companies of the training split")] = _TRAIN.companies,
    works: Annotated[int, typer.Option(help="works of the training split")] = _TRAIN.works,
    questions: Annotated[int, typer.Option(help="questions of the training split")] = _TRAIN.questions,
    held_out_questions: Annotated[int, typer.Option(help="questions of validation and of test")] = _HELD_OUT.questions,
) -> None:
    """Make a world: passages.jsonl, questions.{train,validation,test}.jsonl and, last, world.json."""
    try:
        train = replace(_TRAIN, people=people, towns=towns, companies=companies, works=works, questions=questions)
        sizes = WorldSizes(train, replace(_HELD_OUT, questions=held_out_questions))
        files = ensure_world(out, seed, sizes)
    except InputError as error:
        Console(stderr=True).print(f"fictionalhot: {error}", markup=False, soft_wrap=True)
        raise typer.Exit(2) from None
    asked = ", ".join(f"{files.manifest.questions[split.value]} {split.value}" for split in Split)
    print(f"{files.folder}: {files.manifest.passages} passages; questions: {asked}")


if __name__ == "__main__":
    app()
