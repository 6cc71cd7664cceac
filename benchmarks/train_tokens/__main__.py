"""`python -m benchmarks.train_tokens`: the command. Plays, counts, prints.

Needs no model, GPU or index; the same seed gives the same numbers.
"""

import json
import os
from typing import Annotated

import typer
from rich.console import Console

NO_RATES = (0.0, 0.5, 1.0)
_WIDTH = 144  # too narrow a terminal wraps the lines; rich would cut the numbers instead


def main(
    quick: Annotated[bool, typer.Option("--quick", help="under a minute: fewer of the paper's questions")] = False,
    paper_questions: Annotated[
        int | None, typer.Option(help="questions in the paper's batch (it has 512); default 64, quick 8", min=2)
    ] = None,
    seed: Annotated[int, typer.Option(help="of lengths, words and verdicts", min=0)] = 0,
) -> None:
    """How many tokens does an update feed to the model?

    Real episodes of a scripted agent, whose verdicts are No at a given rate, become training rows; the rows are laid
    out by the trainer's own code and cut into micro-batches as the engines do. Per context policy and No-rate:

    - segments: the sum of the training rows' lengths. A No that edits the context forks, so a session has several.

    - unique: the tokens of the trie of a session's rows, that is, what sharing prefixes within a session would feed.
    segments/unique is what forking costs.

    - fed: the tokens that really go through one forward pass, synthetic rows included; packed (verl's
    use_remove_padding=true), or padded to the longest row of each micro-batch (false, on a CPU): of rows of like
    length, as we cut them, or balanced by tokens, as verl would.

    The last line is one JSON object. fed_over_segments is the worst case, each configuration in its own mode; its goal
    is <= 1.05. segments_over_unique is that of the paper's lengths where every episode makes all its searches.
    """
    # verl settles on a platform when it is first imported, which composing its configuration does.
    os.environ.setdefault("VERL_PLATFORM", "cpu")
    from benchmarks.train_tokens.count import count
    from benchmarks.train_tokens.feed import feed
    from benchmarks.train_tokens.play import Turns, play
    from benchmarks.train_tokens.report import Case, summary, table, verdict
    from benchmarks.train_tokens.setups import Setup, read_setups
    from reseek.config.agent import ContextPolicy

    def measure(setup: Setup, turns: Turns, context: ContextPolicy, no_rate: float) -> Case:
        sessions = play(setup.workload, context, no_rate, turns)
        names = [session.name for session in sessions for _ in session.rows]
        lengths = [len(row) for session in sessions for row in session.rows]
        fed = feed(names, lengths, steps=setup.steps, workers=setup.workers, forward_tokens=setup.forward_tokens)
        return Case(setup, turns, context, no_rate, count(sessions, fed))

    console = Console()
    console.width = max(console.width, _WIDTH)
    cases = []
    questions = paper_questions or (8 if quick else 64)
    if questions % 2:
        raise typer.BadParameter(
            "must be even: the paper's batch makes two optimiser steps", param_hint="paper-questions"
        )
    for setup in read_setups(seed=seed, paper_questions=questions):
        of_setup = [
            measure(setup, turns, context, no_rate)
            for turns in Turns
            for context in ContextPolicy
            for no_rate in NO_RATES
        ]
        console.print(table(setup, of_setup))
        cases += of_setup
    result = summary(cases, quick=quick, seed=seed)
    console.print(verdict(result))
    print(json.dumps(result))


if __name__ == "__main__":
    typer.run(main)
