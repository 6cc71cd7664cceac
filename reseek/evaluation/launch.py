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
from collections.abc import Iterator
from pathlib import Path
from time import monotonic
from typing import Any

from omegaconf import DictConfig
from rich.console import Console

from reseek import cleanup
from reseek.environment import environment
from reseek.episode import EpisodeTexts
from reseek.errors import InputError
from reseek.evaluation.conditions import Conditions, claim_folder, conditions_of
from reseek.evaluation.display import Display
from reseek.evaluation.records import EpisodeRecord
from reseek.evaluation.report import WIDTH, Report, table, write_report
from reseek.evaluation.runner import Room, done_records, episodes_file, run_sets
from reseek.oracle import make_oracle
from reseek.policy.vllm import EngineFailed, EngineOptions, VllmPolicy
from reseek.preflight import check_budgets, check_model, check_oracle, check_prompts
from reseek.prepare import Prepared, prepare
from reseek.questions import Question, read_questions
from reseek.runfolder import open_run, versions
from reseek.search import Search, configured_search
from reseek.settings import PolicySettings, Settings, load_settings
from reseek.terminal import output_to, terminate_raises


class EvaluationFailed(Exception):
    """The evaluation ended without a result. The message is one line; what was asked so far is kept."""


def evaluate(config: DictConfig) -> Path:
    """Check, prepare, ask, report. Returns the run's folder (with `run.check_only` it is not made and nothing is
    started). Raises InputError for bad input before the engine starts, EvaluationFailed when the engine fails."""
    settings = load_settings(config)
    agent, evaluation = settings.agent, settings.evaluation
    if evaluation is None:
        raise InputError("evaluation: the configuration has no such group")
    check_budgets(agent, agent.prompt_tokens, agent.response_tokens, agent.prompt_tokens + agent.response_tokens)
    run_id = uuid.uuid4().hex
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
    claim_folder(folder, conditions)
    # Refuses foreign results; where nothing is left to ask, no engine is started for the report.
    done = {name: done_records(episodes_file(folder, name), qs, conditions.hash) for name, qs in sets.items()}
    records = None
    if all(len(done[name]) == len(questions) for name, questions in sets.items()):
        records = {name: [done[name][question.id] for question in qs] for name, qs in sets.items()}
    open_run(folder, config, settings.run.seed)
    before = cleanup.shared_memory()
    log = folder / "eval.log"
    with output_to(log, settings.run.verbose) as terminal, terminate_raises():
        console = Console(file=terminal)
        try:
            console.print(f"run folder {folder}\nengine's output {log}", highlight=False, soft_wrap=True)
            started = monotonic()
            if records is None:
                records = _ask(settings, prepared, sets, tokenizer, conditions.hash, folder, console)
            provenance = {
                "questions": {name: str(path) for name, path in prepared.sets.items()},
                "limit": evaluation.limit,
                "conditions_hash": conditions.hash,
                "seconds": round(monotonic() - started, 1),
                "versions": versions(),
            }
            _report(records, settings, conditions, provenance, folder, console)
        except EngineFailed as failure:
            traceback.print_exc()  # stderr is eval.log here
            raise EvaluationFailed(f"{failure}; see {log}; resume with run.dir={folder}") from failure
        finally:
            cleanup.end_processes(run_id)
            if settings.cluster.device == "cuda":  # on a CPU the engine runs in this process and shares no memory
                cleanup.free_shared_memory(before)
    return folder


def load_tokenizer(policy: PolicySettings, model: str) -> Any:
    """The policy's tokenizer, with the configured chat template."""
    from transformers import AutoTokenizer  # seconds

    try:
        tokenizer = AutoTokenizer.from_pretrained(model)
    except (OSError, ValueError) as error:
        raise InputError(f"policy.path={model}: no tokenizer can be loaded: {str(error).splitlines()[0]}") from None
    if policy.chat_template is not None:
        tokenizer.chat_template = policy.chat_template
    if tokenizer.chat_template is None:
        raise InputError(f"policy.chat_template: the tokenizer of {model} has none; give one")
    return tokenizer


def _ask(
    settings: Settings,
    prepared: Prepared,
    sets: dict[str, list[Question]],
    tokenizer: Any,
    conditions: str,
    folder: Path,
    console: Console,
) -> dict[str, list[EpisodeRecord]]:
    """Start engine and search, and ask what has not been asked."""
    evaluation = settings.evaluation
    assert evaluation is not None
    with Display(console, {name: len(questions) for name, questions in sets.items()}) as display:
        display.say(f"starting {evaluation.engine}")
        started = monotonic()
        with (
            opened_policy(settings, prepared.model, tokenizer) as policy,
            opened_search(settings, prepared.index) as search,
        ):
            display.say(f"{evaluation.engine} (ready after {monotonic() - started:.0f} s)")
            room = Room(
                policy,
                search,
                make_oracle(settings.oracle),
                EpisodeTexts.of(tokenizer),
                settings.agent,
                settings.oracle,
                settings.rewards,
                conditions,
            )
            return asyncio.run(run_sets(sets, room, folder, evaluation.concurrency, display.count))


def _report(
    records: dict[str, list[EpisodeRecord]],
    settings: Settings,
    conditions: Conditions,
    provenance: dict[str, Any],
    folder: Path,
    console: Console,
) -> None:
    """Write the result and show it; say what failed."""
    report = Report.of(records, settings.agent.top_k, settings.run.seed)
    write_report(folder, report, conditions.model_dump(mode="json"), provenance)
    # Too narrow a terminal wraps the lines; rich would cut the numbers instead.
    Console(file=console.file, width=max(console.width, WIDTH)).print(table(report))
    failed = [record for of_set in records.values() for record in of_set if record.failed]
    if failed:
        console.print(
            f"{len(failed)} episodes FAILED and stand in no number, the first ({failed[0].id}): {failed[0].error}\n"
            f"ask them again: run.dir={folder}",
            highlight=False,
            soft_wrap=True,
        )


@contextlib.contextmanager
def opened_search(settings: Settings, index: Path | None) -> Iterator[Search]:
    """The configured retriever; closed afterwards."""
    search = configured_search(settings.search, index, settings.run.seed)
    try:
        yield search
    finally:
        search.close()


@contextlib.contextmanager
def opened_policy(settings: Settings, model: str, tokenizer: Any) -> Iterator[Any]:
    """The policy on the configured engine; gone afterwards."""
    evaluation, agent, cluster = settings.evaluation, settings.agent, settings.cluster
    assert evaluation is not None
    if evaluation.engine == "vllm":
        options = EngineOptions(
            device=cluster.device,
            dtype=settings.policy.dtype,
            max_model_len=agent.prompt_tokens + agent.response_tokens,
            concurrency=evaluation.concurrency,
            tensor_parallel=cluster.rollout_tensor_parallel,
            gpu_memory=cluster.rollout_memory,
        )
        with VllmPolicy(model, options, temperature=evaluation.temperature, seed=settings.run.seed) as policy:
            yield policy
        return
    import torch
    from transformers import AutoModelForCausalLM

    from reseek.policy.hf import TransformersPolicy

    loaded = AutoModelForCausalLM.from_pretrained(model, dtype=getattr(torch, settings.policy.dtype))
    yield TransformersPolicy(
        loaded,
        tokenizer,
        temperature=evaluation.temperature,
        seed=settings.run.seed,
        max_batch=evaluation.concurrency,
        device=cluster.device,
    )
