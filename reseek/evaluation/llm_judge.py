"""`reseek llm-judge RUN --model M`: a language model says which answers of a run are right.

A second metric beside exact match, which misses right answers in other words. Invariant: each answer is judged once per
model and prompt: replies are cached by the request's content, so that repeating the command costs nothing; a failing
endpoint ends the command and is never a verdict. An episode without an answer is wrong without a request; FAILED
episodes are excluded. Writes `llm_judge.json` into the run's folder.

The endpoint's key is OPENAI_API_KEY; a local server needs none.
"""

import asyncio
import hashlib
from collections.abc import Mapping, Sequence
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from jinja2 import Template
from pydantic import BaseModel, ConfigDict, ValidationError
from rich.console import Console

from corpora.atomic import write_json
from reseek.errors import InputError, first_problem
from reseek.evaluation.judged import FILE, JudgedAnswers
from reseek.rollout.records import EpisodeRecord
from reseek.run.terminal import plain

if TYPE_CHECKING:
    from reseek.services.llm_client import LlmClient, LlmConfig

TEMPLATE = "judge_answer.txt"


class Correctness(BaseModel):
    """The model's reply."""

    model_config = ConfigDict(extra="forbid")

    correct: bool


def template() -> str:
    """The prompt, to be read and changed: reseek/evaluation/templates/judge_answer.txt."""
    return (resources.files("reseek.evaluation") / "templates" / TEMPLATE).read_text(encoding="utf-8")


def prompt(text: str, record: EpisodeRecord) -> str:
    """The model's prompt about one answer."""
    return Template(text, trim_blocks=True, autoescape=False).render(  # plain text for a model, no markup
        question=record.question, golden_answers=record.golden_answers, answer=record.answer
    )


async def judge(records: Sequence[EpisodeRecord], client: "LlmClient", text: str) -> dict[str, bool]:
    """By question id. Raises InputError if the endpoint fails, or its reply is malformed twice."""

    async def one(record: EpisodeRecord) -> bool:
        if not (record.answer or "").strip():
            return False
        messages = [{"role": "user", "content": prompt(text, record)}]
        said = ""
        for _ in range(2):
            said = (await client.ask(messages, Correctness)).text
            try:
                return Correctness.model_validate_json(said).correct
            except ValidationError as error:
                problem = first_problem(error)
                messages = [*messages, {"role": "assistant", "content": said}]
                messages += [{"role": "user", "content": 'Answer with {"correct": true} or {"correct": false} only.'}]
        raise InputError(f"{record.set} {record.id}: the judge's reply is malformed ({problem})")

    judged = [record for record in records if not record.failed]
    return dict(zip([r.id for r in judged], await asyncio.gather(*map(one, judged)), strict=True))


async def judge_run(records: Mapping[str, Sequence[EpisodeRecord]], config: "LlmConfig", cache: Path) -> JudgedAnswers:
    """Judge all sets."""
    from reseek.services.llm_cache import AnswerCache
    from reseek.services.llm_client import LlmClient  # the official client takes seconds to import, so only on use

    text = template()
    client = LlmClient(config, AnswerCache(cache))
    try:
        sets = {name: await judge(of_set, client, text) for name, of_set in records.items()}
    finally:
        await client.close()
    return JudgedAnswers(model=config.model, prompt=hashlib.sha256(text.encode()).hexdigest()[:12], sets=sets)


def main(
    run: Annotated[Path, typer.Argument(metavar="RUN", help="the folder of an evaluation")],
    model: Annotated[str, typer.Option(help="the endpoint's name of the model")],
    base_url: Annotated[
        str | None, typer.Option(help="an OpenAI-compatible endpoint; default: the official one")
    ] = None,
    cache: Annotated[Path, typer.Option(help="folder of cached replies")] = Path(".cache/reseek/llm-judge"),
    concurrency: Annotated[int, typer.Option(min=1)] = 8,
) -> None:
    """Let a language model judge which answers of RUN are right."""
    from reseek.evaluation.results import read_evaluation
    from reseek.services.llm_client import LlmConfig

    evaluated = read_evaluation(run)
    config = LlmConfig(model=model, base_url=base_url, temperature=0.0, max_tokens=64, concurrency=concurrency)
    made = asyncio.run(judge_run(evaluated.records, config, cache))
    write_json(run / FILE, made.model_dump(mode="json"))
    console = Console(highlight=False, markup=False)
    for name, result in evaluated.report.sets.items():
        share, em = made.share(name), result.em
        shown = ["-" if value is None else f"{value:.3f}" for value in (em, share)]
        console.print(f"{plain(name)}: exact match {shown[0]}, {plain(model)} {shown[1]} (n = {result.questions})")
