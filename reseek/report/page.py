"""`report.html`: the tables and pictures of runs as one self-contained page.

Invariant: the page holds the same tables as the Markdown, CSV and LaTeX files; every string of it is escaped, and no
script runs in it at all.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from reseek.config.agent import context_name
from reseek.evaluation.impact import Step, examples
from reseek.evaluation.results import Evaluation
from reseek.report import pictures, tables
from reseek.report.html import inline, picture, render
from reseek.report.runs import Training

_EXCERPT = 280
_IMPACT_EXAMPLES = 2


@dataclass(frozen=True)
class Picture:
    """An image's address and its text alternative."""

    address: str
    says: str


@dataclass(frozen=True)
class Section:
    """One table (if it is long, also a short one), its picture, and steps to read."""

    table: tables.Table
    brief: tables.Table | None
    picture: Picture | None = None
    examples: tuple["Example", ...] = ()


@dataclass(frozen=True)
class Example:
    """A judged step to read, and its address in the viewer."""

    impact: str
    question: str
    golden_answers: str
    query: str
    observation: str
    verdict: str
    answer: str
    address: str


@dataclass(frozen=True)
class Card:
    """The conditions of a run's numbers, as (name, value)."""

    title: str
    facts: tuple[tuple[str, str], ...]


def all_tables(runs: Sequence[Evaluation]) -> list[tables.Table]:
    """Every non-empty table, in the page's order."""
    if not runs:
        return []
    made = (
        tables.results(runs),
        tables.comparison(runs),
        tables.policy_gaps(runs),
        tables.other_metrics(runs),
        tables.verdicts(runs),
        tables.impact(runs),
        tables.flips(runs),
    )
    return [table for table in made if table is not None]


def page(title: str, runs: Sequence[Evaluation], trainings: Sequence[Training], viewer: str | None) -> str:
    """The page. `viewer`: the address of the page with the trajectories, beside this one."""
    pictured = {"results": _budgets(runs), "impact": _impact(runs)}
    shown = {"impact": _examples(runs, viewer)}
    sections = [
        Section(table, tables.brief(table), pictured.get(table.key), shown.get(table.key, ()))
        for table in all_tables(runs)
    ]
    return render(
        "report.html",
        title=title,
        style=inline("report.css"),
        sections=sections,
        trainings=[(run.name, picture_of) for run in trainings if (picture_of := _training(run))],
        training_cards=[training_card(run) for run in trainings],
        cards=[card(run, label) for run, label in zip(runs, tables.labels(runs), strict=True)],
        viewer=viewer,
    )


def card(run: Evaluation, label: tuple[str, ...]) -> Card:
    """All conditions of this run's numbers."""
    conditions, agent = run.conditions, run.conditions.agent
    questions = ", ".join(f"{name}: {len(records)}" for name, records in run.records.items())
    sources = [f"{one.name}: {one.split or tables.DASH}, {one.sha256[:12]}" for one in run.questions.values()]
    dropped = f"{conditions.noise} of the queries deliberately answered badly" if conditions.noise else ""
    facts: list[tuple[str, Any]] = [
        ("run", run.name),
        ("folder", run.folder.name),
        ("policy", conditions.policy),
        ("weights", conditions.weights),
        ("engine", f"{conditions.engine}, {conditions.dtype}, temperature {conditions.temperature}"),
        ("seed", conditions.seed),
        ("method", run.method),
        ("T", f"{agent.max_turns}, counted in {agent.turn_unit.value}"),
        ("after a No", context_name(agent.context)),
        ("retriever", " ".join(filter(None, (conditions.retriever, dropped)))),
        ("top k", agent.top_k),
        ("corpus", conditions.corpus),
        ("passages", None if conditions.passages is None else f"{conditions.passages:,}"),
        ("questions", questions),
        ("split, sha256", "; ".join(sources)),
        ("oracle", f"{conditions.oracle.name}, good above {conditions.oracle.threshold}"),
        ("rewards", _changed(conditions.rewards.model_dump(mode="json"))),
        ("conditions", conditions.hash),
        ("ReSeek", run.versions.get("reseek")),
        ("commit", run.versions.get("commit")),
    ]
    return Card(", ".join(label), tuple((name, tables.DASH if v in (None, "") else str(v)) for name, v in facts))


def training_card(run: Training) -> Card:
    """The facts of a training run."""
    best = run.card.get("best")
    facts = [
        ("folder", run.folder.name),
        ("steps", run.card.get("steps") or len(run.metrics.get("step", ()))),
        ("seed", run.card.get("seed")),
        ("checkpoint", run.card.get("checkpoint")),
        ("best", _changed(best) if isinstance(best, Mapping) else None),
    ]
    return Card(run.name, tuple((name, tables.DASH if value in (None, "") else str(value)) for name, value in facts))


def _changed(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{key} {value}" for key, value in values.items() if value is not None)


def _budgets(runs: Sequence[Evaluation]) -> Picture | None:
    svg = picture(pictures.budget_curves(runs))
    says = "Average exact match over the turn budget with 95 % intervals; the numbers are in the table."
    return Picture(svg, says) if svg else None


def _impact(runs: Sequence[Evaluation]) -> Picture | None:
    svg = picture(pictures.impact_bars(runs))
    return Picture(svg, "Judge impact as stacked bars; the numbers are in the table.") if svg else None


def _training(run: Training) -> Picture | None:
    svg = picture(pictures.training_curves(run))
    return Picture(svg, f"Training curves of {run.name} over its steps.") if svg else None


def _examples(runs: Sequence[Evaluation], viewer: str | None) -> tuple[Example, ...]:
    """Steps of each class, from the runs that have them."""
    steps = [step for run in runs for of_set in run.steps.values() for step in of_set]
    run_of = {id(record): n for n, run in enumerate(runs) for of_set in run.records.values() for record in of_set}
    return tuple(_example(run_of[id(step.record)], step, viewer) for step in examples(steps, _IMPACT_EXAMPLES))


def _example(run: int, step: Step, viewer: str | None) -> Example:
    record, observation = step.record, step.observation
    text = " ".join(observation.text.split())
    return Example(
        step.impact.value,
        record.question,
        " / ".join(record.golden_answers),
        observation.query,
        text if len(text) <= _EXCERPT else f"{text[:_EXCERPT]}…",
        tables.DASH if observation.verdict is None else observation.verdict.value,
        tables.DASH if record.answer is None else record.answer,
        f"{viewer}#{urlencode({'run': run, 'set': record.set, 'id': record.id})}" if viewer else "",
    )
