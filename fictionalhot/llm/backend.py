"""Seeds made fictional by a language model: one request for the question, one for its pages.

Invariant: an item ends as a draft or as a rejection whose reason says what the model did; after a malformed answer the
model gets one second try with the error. What the model claims is checked by `fictionalhot.builder.prove`, as for every
back end."""

import asyncio
from collections.abc import Callable, Sequence
from functools import cache
from typing import TypeVar

from jinja2 import Environment, PackageLoader, StrictUndefined
from pydantic import BaseModel, ConfigDict, ValidationError

from corpora.record import Passage
from fictionalhot.items.records import (
    Document,
    Draft,
    Fact,
    Fiction,
    Kind,
    Reason,
    Rejected,
    Rejection,
    Renaming,
    Role,
    Seed,
)
from fictionalhot.offline.queries import hop_queries
from reseek.errors import first_problem
from reseek.services.llm_cache import Answer, AnswerCache
from reseek.services.llm_client import LlmClient, LlmConfig

_CHARACTERS_PER_TOKEN = 4.0  # of English, roughly: for estimates only
_ANSWER_TOKENS = (250, 1100)  # of a question, of its pages: for estimates only


class _Form(BaseModel):
    model_config = ConfigDict(extra="forbid")


class NamePair(_Form):
    real: str
    fictional: str
    kind: Kind


class QuestionAnswer(_Form):
    """The model's first answer: the fictional question."""

    entities: list[NamePair]
    question: str
    golden_answers: list[str]


class PageFact(_Form):
    subject: str
    relation: str
    value: str


class Page(_Form):
    title: str
    text: str
    hop: int | None
    facts: list[PageFact]


class PagesAnswer(_Form):
    """The model's second answer: the pages."""

    pages: list[Page]


Form = TypeVar("Form", bound=_Form)


class OpenAIBackend:
    """A `Backend` over an OpenAI-compatible endpoint."""

    def __init__(self, config: LlmConfig, answers: AnswerCache) -> None:
        self._config, self._answers = config, answers

    def drafts(
        self,
        seeds: Sequence[Seed],
        neighbours: Callable[[Seed], Sequence[Passage]],
        done: Callable[[str, Draft | Rejection], None],
    ) -> None:
        asyncio.run(self._drafts(seeds, done))

    def cost(self) -> str:
        answers, prompt, completion = self._answers.tokens()
        cost = self._config.cost(prompt, completion)
        return f"Model `{self._config.model}`: {answers} answers, {prompt:,} + {completion:,} tokens, cost {cost:.2f}."

    async def _drafts(self, seeds: Sequence[Seed], done: Callable[[str, Draft | Rejection], None]) -> None:
        client = LlmClient(self._config, self._answers)

        async def one(seed: Seed) -> None:
            stage = "fictionalise"
            try:
                fiction = await _fiction(client, seed)
                stage = "document"
                result: Draft | Rejection = await _draft(client, seed, fiction)
            except Rejected as error:
                result = Rejection(id=seed.id, stage=stage, reason=error.reason, detail=error.detail)
            done(seed.id, result)

        try:
            async with asyncio.TaskGroup() as group:
                for seed in seeds:
                    group.create_task(one(seed))
        except BaseExceptionGroup as several:  # the first endpoint failure ends all
            raise several.exceptions[0] from None
        finally:
            await client.close()


def estimate(seeds: Sequence[Seed], config: LlmConfig) -> tuple[int, int, float]:
    """An estimate of (prompt tokens, completion tokens, cost) for these seeds, without any request."""
    prompt = 0.0
    for seed in seeds:
        fiction = Fiction(id=seed.id, question=seed.question, golden_answers=seed.golden_answers, entities=())
        written = [*_question_messages(seed), *_pages_messages(seed, fiction)]
        prompt += sum(len(message["content"]) for message in written) / _CHARACTERS_PER_TOKEN
    completion = len(seeds) * sum(_ANSWER_TOKENS)
    return int(prompt), completion, config.cost(int(prompt), completion)


async def _fiction(client: LlmClient, seed: Seed) -> Fiction:
    answer = await _asked(client, _question_messages(seed), QuestionAnswer)
    if not answer.golden_answers or not answer.question.strip():
        raise Rejected(Reason.MALFORMED, "no question or no answer")
    pairs = tuple(Renaming(real=p.real, fictional=p.fictional, kind=p.kind) for p in answer.entities)
    return Fiction(id=seed.id, question=answer.question, golden_answers=tuple(answer.golden_answers), entities=pairs)


async def _draft(client: LlmClient, seed: Seed, fiction: Fiction) -> Draft:
    answer = await _asked(client, _pages_messages(seed, fiction), PagesAnswer)
    if len(answer.pages) < 2:
        raise Rejected(Reason.TOO_FEW_DOCUMENTS, f"{len(answer.pages)}")
    if any(not page.title.strip() or not page.text.strip() for page in answer.pages):
        raise Rejected(Reason.MALFORMED, "a page without title or text")
    documents = tuple(
        Document(
            id=f"fictionalhot-{seed.id.replace('/', '-')}-{number}",
            title=page.title,
            text=page.text,
            role=Role.HOP if page.hop is not None else Role.DISTRACTOR,
            hop=page.hop,
            facts=tuple(Fact(subject=f.subject, relation=f.relation, value=f.value) for f in page.facts),
        )
        for number, page in enumerate(answer.pages, start=1)
    )
    return Draft(fiction=fiction, documents=documents, hop_queries=hop_queries(documents, fiction))


async def _asked(client: LlmClient, messages: list[dict[str, str]], form: type[Form]) -> Form:
    answer = await client.ask(messages, form)
    try:
        return _read(answer, form)
    except ValidationError as error:
        wrong = first_problem(error)
    told = {"role": "user", "content": f"That is not the JSON that was asked for: {wrong}. Answer again, JSON only."}
    answer = await client.ask([*messages, {"role": "assistant", "content": answer.text}, told], form)
    try:
        return _read(answer, form)
    except ValidationError as error:
        raise Rejected(Reason.MALFORMED, first_problem(error)) from None


def _read(answer: Answer, form: type[Form]) -> Form:
    """Raises Rejected for a refusal or a truncated answer, ValidationError for one of another form."""
    if answer.refusal or answer.finish == "content_filter":
        raise Rejected(Reason.REFUSED, answer.refusal or answer.finish)
    if answer.finish == "length":
        raise Rejected(Reason.TRUNCATED, f"{answer.completion_tokens} tokens")
    return form.model_validate_json(answer.text)


def _question_messages(seed: Seed) -> list[dict[str, str]]:
    return [{"role": "user", "content": _template("fictionalise.jinja").render(seed=seed)}]


def _pages_messages(seed: Seed, fiction: Fiction) -> list[dict[str, str]]:
    return [{"role": "user", "content": _template("document.jinja").render(seed=seed, fiction=fiction)}]


@cache
def _template(name: str):
    loader = PackageLoader("fictionalhot.builder", "templates")
    return Environment(loader=loader, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True).get_template(
        name
    )
