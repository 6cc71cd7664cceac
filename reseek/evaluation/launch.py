"""Start an evaluation and see it through: check, prepare, start the engine, ask, report.

Invariant: everything that can be wrong with the input is said before the engine starts; whatever ends the evaluation,
its processes are gone and its shared memory is freed. vLLM's output goes to `eval.log` in the run's folder. Knows
nothing of metrics.
"""

import asyncio
import contextlib
import os
import traceback
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Any

from omegaconf import DictConfig
from rich.console import Console

from reseek.config.settings import EvalSettings, load_settings
from reseek.evaluation.conditions import Conditions, claim_folder, conditions_of, engine_name
from reseek.evaluation.progress import Display
from reseek.evaluation.report import WIDTH, Report, table, write_report
from reseek.evaluation.unanswerable import FILE as UNANSWERABLE
from reseek.evaluation.unanswerable import Unanswerable, unanswerable
from reseek.policy.vllm import EngineFailed
from reseek.preparation.preflight import check_budgets, check_model, check_oracle, check_prompts
from reseek.preparation.prepare import Prepared, prepare
from reseek.questions.provenance import write_manifests
from reseek.questions.record import Question, read_questions
from reseek.rollout.engines import check_replicas, load_tokenizer, open_environment, replicas_wanted
from reseek.rollout.environment import Environment, Player
from reseek.rollout.records import EpisodeRecord
from reseek.rollout.runner import done_records, episodes_file, run_sets
from reseek.run import processes
from reseek.run.folder import open_run, versions, write_json
from reseek.run.terminal import output_to, plain, terminate_raises
from reseek.run.variables import environment


class EvaluationFailed(Exception):
    """The evaluation ended without a result. The message is one line; what was asked so far is kept."""


@dataclass(frozen=True)
class Engines:
    """Opens the environments of evaluations in a row, which share one engine; its owner cleans up after `run_id`."""

    run_id: str
    open_environment: Callable[
        [EvalSettings, str, Path | None, Any, str], contextlib.AbstractContextManager[Environment]
    ]


def evaluate(config: DictConfig, engines: Engines | None = None) -> Path:
    """Check, prepare, ask, report; with an engine of its own, unless `engines` has one. Returns the run's folder (with
    `run.check_only` it is not made and nothing is started). Raises InputError for bad input before the engine starts,
    EvaluationFailed when the engine fails."""
    settings = load_settings(config, EvalSettings)
    agent, evaluation = settings.agent, settings.evaluation
    check_budgets(agent, agent.prompt_tokens, agent.response_tokens, agent.prompt_tokens + agent.response_tokens)
    check_replicas(settings)
    run_id = uuid.uuid4().hex if engines is None else engines.run_id
    os.environ.update(environment(settings, run_id))  # before torch is imported: OpenMP reads it once
    prepared = prepare(settings)
    check_model(agent, prepared.model)
    check_oracle(settings.oracle)
    tokenizer = load_tokenizer(settings.policy, prepared.model)
    sets = {name: read_questions(path, evaluation.limit) for name, path in prepared.sets.items()}
    for name, questions in sets.items():
        check_prompts(agent, tokenizer, questions, prepared.sets[name])
    conditions = conditions_of(settings, prepared)
    folder = Path(settings.run.dir).resolve()
    if settings.run.check_only:
        return folder
    if settings.policy.endpoint is not None and not (folder / "result.json").is_file():
        from reseek.policy.endpoint import check_endpoint

        asyncio.run(check_endpoint(settings.policy.endpoint))
    claim_folder(folder, conditions)
    # Refuses foreign results; where nothing is left to ask, no engine is started for the report.
    done = {name: done_records(episodes_file(folder, name), qs, conditions.hash) for name, qs in sets.items()}
    records = None
    if all(len(done[name]) == len(questions) for name, questions in sets.items()):
        records = {name: [done[name][question.id] for question in qs] for name, qs in sets.items()}
    open_run(folder, config, settings.run.seed)
    write_manifests(folder, prepared.manifests)
    before = processes.shared_memory()
    log = folder / "eval.log"
    with output_to(log, settings.run.verbose) as terminal, terminate_raises():
        console = Console(file=terminal)
        try:
            console.print(f"run folder {folder}\nengine's output {log}", highlight=False, soft_wrap=True)
            _warn_of_other_corpora(prepared, console)
            started = monotonic()
            if records is None:
                records = _ask(
                    settings, prepared, sets, tokenizer, conditions.hash, folder, console, run_id, engines
                )
            provenance = {
                "questions": {name: str(path) for name, path in prepared.sets.items()},
                "limit": evaluation.limit,
                "conditions_hash": conditions.hash,
                "seconds": round(monotonic() - started, 1),
                "versions": versions(),
            }
            left = unanswerable(settings, prepared, sets)
            if left is not None:
                write_json(folder / UNANSWERABLE, left)
            _report(records, settings, conditions, provenance, folder, console, left)
        except EngineFailed as failure:
            traceback.print_exc()  # stderr is eval.log here
            raise EvaluationFailed(f"{failure}; see {log}; resume with run.dir={folder}") from failure
        finally:
            if engines is None:
                processes.end_processes(run_id)
            # One engine on a CPU runs in this process and shares no memory.
            if engines is None and (settings.cluster.device == "cuda" or replicas_wanted(settings) > 1):
                processes.free_shared_memory(before)
    return folder


def _warn_of_other_corpora(prepared: Prepared, console: Console) -> None:
    """A release's questions can only be answered from its own documents."""
    searched = prepared.searched.fingerprint if prepared.searched else None
    for manifest in prepared.manifests:
        if manifest.corpus is not None and manifest.corpus != searched:
            console.print(
                f"warning: {manifest.name}: the corpus is not the one of the release (its documents injected into its "
                "base): recall tells how much of it is missing",
                highlight=False,
                markup=False,
                soft_wrap=True,
            )


def _ask(
    settings: EvalSettings,
    prepared: Prepared,
    sets: dict[str, list[Question]],
    tokenizer: Any,
    conditions: str,
    folder: Path,
    console: Console,
    run_id: str,
    engines: Engines | None,
) -> dict[str, list[EpisodeRecord]]:
    """Start engine and search, and ask what has not been asked."""
    replicas = replicas_wanted(settings)
    engine = engine_name(settings) + (f" x {replicas}" if replicas > 1 else "")
    with Display(console, {name: len(questions) for name, questions in sets.items()}) as display:
        display.say(f"starting {engine}")
        started = monotonic()
        opened: contextlib.AbstractContextManager[Player]
        if engines is not None:
            opened = engines.open_environment(settings, prepared.model, prepared.index, tokenizer, conditions)
        elif replicas > 1:
            from reseek.rollout.ray_pool import open_replicas

            opened = open_replicas(settings, replicas, prepared.model, prepared.index, conditions, run_id)
        else:
            opened = open_environment(settings, prepared.model, prepared.index, tokenizer, conditions)
        with opened as player:
            display.say(f"{engine} (ready after {monotonic() - started:.0f} s)")
            at_once = settings.evaluation.concurrency * replicas
            return asyncio.run(run_sets(sets, player, folder, at_once, display.count))


def _report(
    records: dict[str, list[EpisodeRecord]],
    settings: EvalSettings,
    conditions: Conditions,
    provenance: dict[str, Any],
    folder: Path,
    console: Console,
    left: Unanswerable | None,
) -> None:
    """Write the result and show it; say what failed."""
    report = Report.of(records, settings.agent.top_k, settings.run.seed, left)
    write_report(folder, report, conditions.model_dump(mode="json"), provenance)
    # Too narrow a terminal wraps the lines; rich would cut the numbers instead.
    Console(file=console.file, width=max(console.width, WIDTH)).print(table(report))
    failed = [record for of_set in records.values() for record in of_set if record.failed]
    if failed:
        first = plain(f"{failed[0].id}: {failed[0].error}")
        console.print(
            f"{len(failed)} episodes FAILED and stand in no number, the first: {first}\n"
            f"ask them again: run.dir={folder}",
            highlight=False,
            markup=False,
            soft_wrap=True,
        )
