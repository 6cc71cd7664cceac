"""`reseek counterfactual RUN`: replay every judged step of an evaluation with the other verdict.

Same model, greedy: the run itself must have been greedy, so that nothing but the verdict differs. Invariant: each
replay is a line of `counterfactual/<set>.jsonl` in the run's folder, written right after its episode; the same command
resumes a stopped one.
"""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from omegaconf import DictConfig, OmegaConf
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from corpora.atomic import append_line
from reseek.agent.episode import StopReason
from reseek.agent.protocol import read_protocol
from reseek.agent.verdict import BINARY, Verdict
from reseek.config.settings import EvalSettings, load_settings
from reseek.errors import InputError
from reseek.evaluation.counterfactual_records import Effect, FlipRecord, Flips, count_flips, flips_file, read_flips
from reseek.evaluation.impact import Step, judged_steps
from reseek.evaluation.replay import NotReplayed, replay
from reseek.evaluation.report import WIDTH
from reseek.evaluation.results import read_evaluation
from reseek.rewards.answers import exact_match
from reseek.rollout.environment import Environment
from reseek.rollout.records import EpisodeRecord
from reseek.rollout.runner import open_file
from reseek.run.folder import Kind
from reseek.run.lifecycle import Run
from reseek.run.terminal import plain

Job = tuple[Step, Verdict]


async def replay_steps(
    jobs: Sequence[Job],
    folder: Path,
    environment: Environment,
    concurrency: int,
) -> None:
    """Replay each step with its verdict and append what came of it; at most `concurrency` at once."""
    for name in {step.record.set for step, _ in jobs}:
        open_file(flips_file(folder, name))
    waiting = iter(jobs)

    async def work() -> None:
        for step, verdict in waiting:  # all workers take from one iterator
            record, episode, error = step.record, None, None
            try:
                episode = await replay(record, step.index, verdict, environment)
                if episode.stop is StopReason.FAILED:
                    error = episode.error
            except NotReplayed as why:
                error = str(why)
            answer = episode.answer if episode else None
            made = FlipRecord(
                set=record.set,
                id=record.id,
                conditions=record.conditions,
                observation=step.index,
                verdict=Verdict.MISSING if step.observation.verdict is None else step.observation.verdict,
                given=verdict,
                impact=step.impact,
                label=step.observation.label,
                answer_before=record.answer,
                em_before=record.em or 0.0,
                stop=episode.stop if episode else None,
                answer=answer,
                em=None if error is not None else exact_match(answer, record.golden_answers),
                error=error,
            )
            append_line(flips_file(folder, record.set), made.model_dump_json())

    try:
        async with asyncio.TaskGroup() as group:
            for _ in range(concurrency):
                group.create_task(work())
    except BaseExceptionGroup as errors:
        raise errors.exceptions[0] from None


def jobs_of(
    records: Sequence[EpisodeRecord], folder: Path, controls: int, offered: Sequence[Verdict] = BINARY
) -> list[Job]:
    """What is left to replay of one set: each judged step with each other verdict of `offered`, the first `controls`
    with their own as well. Raises InputError for a file of other conditions."""
    path = flips_file(folder, records[0].set)
    known = read_flips(path)
    if any(flip.conditions != records[0].conditions for flip in known):
        raise InputError(f"{path}: holds replays of other conditions; remove it")
    done = {flip.key for flip in known}
    steps = [(step, step.observation.verdict) for step in judged_steps(records)]
    wanted = [(step, other) for step, verdict in steps for other in offered if other is not verdict]
    wanted += [(step, verdict) for step, verdict in steps[:controls] if verdict is not None]
    return [(step, verdict) for step, verdict in wanted if (step.record.id, step.index, verdict) not in done]


def main(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="the folder of a greedy evaluation")],
    limit: Annotated[int | None, typer.Option(help="episodes per set; default: all", min=1)] = None,
    controls: Annotated[int, typer.Option(help="steps per set replayed with their own verdict too", min=0)] = 20,
    take_over: Annotated[
        bool, typer.Option("--take-over", help="take a folder that a run of another host, boot or container claims")
    ] = False,
) -> None:
    """Replay each judged step of RUN with the other verdict; count how often the answer gets better or worse."""
    counted = _replay_run(run.resolve(), limit, controls, take_over)
    console = Console()
    Console(width=max(console.width, WIDTH)).print(table(counted))


def _replay_run(folder: Path, limit: int | None, controls: int, take_over: bool) -> dict[str, Flips]:
    evaluated = read_evaluation(folder)
    if evaluated.conditions.temperature != 0:
        raise InputError(
            f"{folder}: was asked with evaluation.temperature={evaluated.conditions.temperature}; a replay needs a "
            "greedy run: reseek eval evaluation.temperature=0 ..."
        )
    config = OmegaConf.create((folder / "config.yaml").read_text(encoding="utf-8"))
    assert isinstance(config, DictConfig)
    # What a folder says of itself does not decide what may be done to it.
    config.run.update(dir=str(folder), take_over=take_over, follow_links=False)
    with Run(load_settings(config, EvalSettings), Kind.EVALUATION, log="counterfactual.log") as run:
        run.claim()
        jobs: list[Job] = []
        offered = _offered(folder)
        for records in evaluated.records.values():
            jobs += jobs_of(records[:limit], folder, controls, offered) if records else []
        if jobs:
            _ask(run, evaluated.conditions.hash, jobs)
    return {name: count_flips(read_flips(flips_file(folder, name))) for name in evaluated.records}


def _offered(folder: Path) -> tuple[Verdict, ...]:
    """The verdicts that the run's policy could give, by the texts that its folder keeps; those of earlier versions keep
    none, and offered Yes and No."""
    kept = folder / "protocol.yaml"
    return read_protocol(kept).offered if kept.is_file() else BINARY


def _ask(run: Run[EvalSettings], conditions: str, jobs: Sequence[Job]) -> None:
    """Start the engine and the search that the run had, and replay."""
    from reseek.evaluation.conditions import conditions_of
    from reseek.preparation.prepare import prepare
    from reseek.rollout.engines import open_environment, tokenizer_of

    settings = run.settings
    prepared = prepare(settings)
    if conditions_of(settings, prepared).hash != conditions:
        raise InputError(
            f"{run.folder}: cannot replay: the model, corpus or configuration changed since this evaluation ran"
        )
    tokenizer = tokenizer_of(settings, prepared.model)
    run.open_log()
    if settings.cluster.device == "cuda":
        run.uses_shared_memory()
    with open_environment(settings, prepared.model, prepared.index, tokenizer, conditions) as environment:
        asyncio.run(replay_steps(jobs, run.folder, environment, settings.evaluation.concurrency))


def table(counted: dict[str, Flips]) -> Table:
    """A line a set."""
    made = Table(box=box.SIMPLE_HEAD, title="Each judged step with the other verdict", title_justify="left")
    names = ("set", "steps", "not replayed", *(effect.value for effect in Effect), "EM change", "95 %", "control")
    for number, name in enumerate(names):
        made.add_column(name, justify="left" if number == 0 else "right", no_wrap=True)
    for name, flips in counted.items():
        change, low_high = "-", "-"
        if flips.change.difference is not None and flips.change.interval is not None:
            change = f"{flips.change.difference:+.3f}"
            low_high = f"{flips.change.interval.low:+.3f} to {flips.change.interval.high:+.3f}"
        shares = ("-" if (share := flips.share(effect)) is None else f"{share:.3f}" for effect in Effect)
        control = f"{flips.controls_changed} of {flips.controls}"
        made.add_row(escape(plain(name)), str(flips.steps), str(flips.not_replayed), *shares, change, low_high, control)
    made.caption = "control: replayed with the recorded verdict, and how many of those gave another answer"
    return made
