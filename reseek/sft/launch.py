"""`reseek sft` from start to end: check, gather the episodes, write rows and plan, train, write the card.

Invariant: wrong input is reported before anything starts; the same command with the same `run.dir` resumes, episode by
episode and, with `sft.save_every`, checkpoint by checkpoint. Training runs in processes of its own (reseek/sft/fit.py),
one per device; this one follows their `metrics.jsonl`. Output of engines and trainers goes to `sft.log` in the run's
folder.
"""

import asyncio
import errno
import hashlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

from omegaconf import DictConfig, OmegaConf
from rich.console import Console

from corpora.full_disk import is_full, says_full
from reseek.agent.methods import method_of
from reseek.config.settings import SftSettings, load_settings
from reseek.config.sft import EpisodeSource
from reseek.errors import InputError
from reseek.evaluation.conditions import conditions_of
from reseek.micro.expert import EXPERT_ACTIONS
from reseek.oracle import make_oracle
from reseek.policy.backends import opened_policy
from reseek.policy.vllm import EngineFailed
from reseek.preparation.preflight import (
    check_budgets,
    check_model,
    check_oracle,
    check_policy,
    check_prompts,
    check_tokens,
    check_trainable,
)
from reseek.preparation.prepare import Prepared, prepare, prepared_model
from reseek.preparation.resuming import check_same, write_inputs
from reseek.questions.provenance import write_manifests
from reseek.questions.record import Question, read_questions
from reseek.rollout.engines import load_tokenizer, opened_search
from reseek.rollout.environment import Environment
from reseek.rollout.failures import Failure, bounds_of, excess
from reseek.rollout.records import EpisodeRecord, whole_lines
from reseek.run.entry_points import check_entry_points
from reseek.run.folder import Kind
from reseek.run.lifecycle import Run
from reseek.run.terminal import undisturbed
from reseek.sft.expert.policy import check_playable
from reseek.sft.plan import METRICS, MODEL, PLAN, Plan, check_batches, check_plan, resume_step, write_plan, write_rows
from reseek.sft.played_episodes import (
    EXPERT,
    SCRIPTED,
    play_expert,
    play_samples,
    played,
    sample_name,
)
from reseek.sft.progress import Bar
from reseek.sft.recorded_episodes import files_of, recorded
from reseek.sft.rows import Candidate, Chosen, Reason, choose
from reseek.sft.yields import table
from reseek.training.launch import RunFailed, last_exception

_LOOK_EVERY_S = 0.5


def train(config: DictConfig) -> Path:
    """Check, gather, train. Returns the run's folder (with `run.check_only` it is not made and nothing is started).
    Raises InputError for bad input, RunFailed when the run ends early."""
    settings = load_settings(config, SftSettings)
    sft, agent = settings.sft, settings.agent
    if settings.cluster.nodes > 1:
        raise InputError("cluster.nodes: stage=sft trains on one machine; set cluster.nodes=1")
    if sft.source is EpisodeSource.EXPERT:
        check_tokens(settings)  # it trains refinements too
        check_playable(method_of(agent), agent.method)
    else:
        check_trainable(settings)
    check_budgets(agent, agent.prompt_tokens, agent.response_tokens, agent.prompt_tokens + agent.response_tokens)
    check_batches(sft, settings.cluster.gpus_per_node)
    if sft.source is EpisodeSource.SAMPLED and sft.engine == "vllm":
        check_entry_points()
    with Run(settings, Kind.SFT, log="sft.log") as run:
        run.check_free()
        material = _checked(settings)
        _check_resumable(run, config, material)
        if settings.run.check_only:
            return run.folder
        run.claim()
        _check_resumable(run, config, material)
        if not (run.folder / PLAN).is_file():
            _record(run, config, material)
        run.uses_shared_memory()
        console = run.open_log()
        try:
            chosen = _choose(settings, material, run.folder, console)
            plan = _plan(settings, material, chosen)
            write_plan(run.folder, plan)  # or refuse the folder, before what it says of itself changes
            _record(run, config, material)
            step = resume_step(run.folder)
            run.resume_after(step, console)
            if not step:
                write_rows(run.folder, chosen.train, chosen.validation)
            _fit(plan, run, console, step)
        except EngineFailed as failure:
            raise RunFailed(f"{failure}; see {run.log}; the same run.dir resumes it") from failure
        run.write_card(result_card(run.folder, plan, chosen))
    return run.folder


def _check_resumable(run: Run[SftSettings], config: DictConfig, material: "_Material") -> None:
    """Raises InputError where the folder was begun with other settings; writes nothing."""
    if (run.folder / PLAN).is_file() or any((run.folder / "episodes").glob("*.jsonl")):
        check_same(run.folder, config, run.settings, material.prepared)
    check_plan(run.folder, _plan(run.settings, material))


def _record(run: Run[SftSettings], config: DictConfig, material: "_Material") -> None:
    run.record(OmegaConf.masked_copy(config, ["stage", *SftSettings.model_fields]))
    if material.prepared is not None:
        write_manifests(run.folder, material.prepared.manifests)
        write_inputs(run.folder, run.settings, material.prepared)


class _Material:
    """What the checks have read: the model, its tokenizer and, where episodes are played, the questions."""

    def __init__(self, model: str, tokenizer: Any, prepared: Prepared | None, questions: list[Question]) -> None:
        self.model, self.tokenizer, self.prepared, self.questions = model, tokenizer, prepared, questions


def _checked(settings: SftSettings) -> _Material:
    """Everything that can be wrong with the input, cheap checks first."""
    sft = settings.sft
    prepared = None
    if sft.source is EpisodeSource.SCRIPTED and not set(method_of(settings.agent).actions) >= EXPERT_ACTIONS:
        raise InputError(
            f"sft.source=scripted: the expert searches, judges and answers, which method={settings.agent.method} does "
            "not; use sft=sampled"
        )
    if sft.source is EpisodeSource.RECORDED:
        files_of(sft.files)
        model = prepared_model(settings)
    else:
        prepared = prepare(settings)
        check_oracle(settings.oracle)
        model = prepared.model
    check_policy(settings, model)
    check_model(settings.agent, model)
    tokenizer = load_tokenizer(settings.policy, model)
    questions: list[Question] = []
    if prepared is not None:
        assert prepared.train is not None
        limit = settings.questions.train_limit
        questions = read_questions(prepared.train, limit if limit > 0 else None)
        check_prompts(settings.agent, tokenizer, questions, prepared.train)
        without = next((question for question in questions if not question.hops), None)
        if sft.source is EpisodeSource.SCRIPTED and without is not None:
            raise InputError(
                f"sft.source=scripted: question {without.id!r} of {prepared.train} has no hops for the expert to play; "
                "use generated questions, or sft=sampled or sft=recorded"
            )
    return _Material(model, tokenizer, prepared, questions)


def _choose(settings: SftSettings, material: _Material, folder: Path, console: Console) -> Chosen:
    """The rows, from episodes that are read or played; says what was left out and why. Raises InputError where nothing
    is left."""
    sft, agent = settings.sft, settings.agent
    if sft.source is EpisodeSource.RECORDED:
        candidates = recorded(sft, material.tokenizer)
    else:
        candidates = _played(settings, material, folder, console)
    longest = sft.max_tokens or agent.prompt_tokens + agent.response_tokens
    chosen = choose(candidates, sft, longest, settings.run.seed)
    out = ", ".join(f"{count} {reason.value}" for reason, count in chosen.left_out.items() if count)
    console.print(
        f"{chosen.kept} of {chosen.read} episodes kept{f' (left out: {out})' if out else ''}: {len(chosen.train)} rows "
        f"to train, {len(chosen.validation)} to measure",
        highlight=False,
        soft_wrap=True,
    )
    if chosen.yields:
        console.print(table(chosen.yields))
    if not chosen.train:
        hint = "; sft.yes_share=null keeps all" if chosen.left_out[Reason.UNBALANCED] else ""
        raise InputError(
            f"sft.source={sft.source.value}: no episode is left to train on ({out or 'none was found'}){hint}"
        )
    return chosen


def _played(settings: SftSettings, material: _Material, folder: Path, console: Console) -> Iterator[Candidate | None]:
    """Play what has no record yet, then give the candidates."""
    sft, prepared, questions = settings.sft, material.prepared, material.questions
    assert prepared is not None
    playing = settings.playing
    conditions = conditions_of(playing, prepared).hash
    scripted = sft.source is EpisodeSource.SCRIPTED
    expert = sft.source is EpisodeSource.EXPERT
    if scripted:
        conditions = _hash(f"{conditions} {sft.carelessness} {sft.laziness}")
    if expert:
        conditions = _hash(f"{conditions} expert {sft.carelessness} {settings.run.seed}")
    names = [SCRIPTED] if scripted else [EXPERT] if expert else [sample_name(number) for number in range(sft.samples)]
    right: list[bool] = []
    failures: list[Failure] = []
    with (
        opened_search(settings, prepared.index) as search,
        Bar(console, "episodes", len(names) * len(questions)) as bar,
    ):

        def count(record: EpisodeRecord) -> None:
            right.append(record.em == 1.0)
            if record.failed_part is not None:
                failures.append(Failure(record.failed_part, f"{record.error}"))
            bar.to(len(right), f"right {sum(right) / len(right):.3f}")

        def environment_with(policy: Any) -> Environment:
            return Environment.of(
                settings,
                policy=policy,
                search=search,
                oracle=make_oracle(settings.oracle),
                tokenizer=material.tokenizer,
                conditions=conditions,
            )

        seed = settings.run.seed
        if scripted or expert:
            asyncio.run(play_expert(questions, environment_with(None), folder, sft, seed, count))
        else:
            bar.to(0, f"starting {sft.engine}")
            with opened_policy(playing, prepared.model, material.tokenizer) as policy:
                asyncio.run(play_samples(questions, environment_with(policy), policy, folder, sft, seed, count))
    line = excess(failures, len(right), bounds_of(settings))
    if line is not None:
        raise RunFailed(f"{line}; the same run.dir plays the failed ones again")
    return played(folder, names, questions, conditions)


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _plan(settings: SftSettings, material: _Material, chosen: Chosen | None = None) -> Plan:
    """The plan; without `chosen` its rows are not known yet."""
    return Plan(
        model=material.model,
        chat_template=settings.policy.chat_template,
        dtype=settings.policy.dtype,
        device=settings.cluster.device,
        workers=settings.cluster.gpus_per_node,
        seed=settings.run.seed,
        name=settings.run.name,
        loggers=tuple(settings.run.loggers),
        sft=settings.sft,
        rows=len(chosen.train) if chosen else 0,
        validation_rows=len(chosen.validation) if chosen else 0,
    )


def _fit(plan: Plan, run: Run[SftSettings], console: Console, step: int) -> None:
    """Train in processes of their own, from the checkpoint of `step`; follow what they record. Raises RunFailed where
    they fail or hang."""
    fitting = [sys.executable, "-m"]
    if plan.workers > 1:
        fitting += ["torch.distributed.run", "--standalone", f"--nproc-per-node={plan.workers}", "-m"]
    fitting += ["reseek.sft.fit", str(run.folder)]
    log, metrics, watchdog_s = run.log, run.folder / METRICS, run.settings.run.watchdog_s
    start = log.stat().st_size if log.is_file() else 0
    last, heard = b"", time.monotonic()
    process = subprocess.Popen(fitting)
    try:
        with Bar(console, "training", plan.steps) as bar:
            bar.to(step, "loading the model")
            while process.poll() is None:
                time.sleep(_LOOK_EVERY_S)
                lines = whole_lines(metrics).splitlines() if metrics.is_file() else []
                if lines and lines[-1] != last:
                    last, heard = lines[-1], time.monotonic()
                    _show([json.loads(line) for line in lines], bar)
                if time.monotonic() - heard > watchdog_s:
                    raise RunFailed(f"the run hangs: no step for {watchdog_s:.0f} s (run.watchdog_s); see {log}")
    finally:
        with undisturbed():
            if process.poll() is None:
                process.terminate()
                process.wait()
    if process.returncode:
        with log.open(errors="replace") as file:
            file.seek(start)
            told = file.read()
        if is_full(run.folder) or says_full(Exception(told)):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(run.folder))
        raise RunFailed(f"the training failed: {last_exception(told)}; see {log}")


def _show(records: list[dict], bar: Bar) -> None:
    steps = [record for record in records if record["phase"] == "step"]
    if steps:
        recent = steps[-20:]
        bar.to(steps[-1]["step"], f"loss {sum(step['sft/loss'] for step in recent) / len(recent):.3f}")


def result_card(folder: Path, plan: Plan, chosen: Chosen) -> dict[str, Any]:
    """The run in a few numbers: the loss (means of the first and the last tenth of the steps), that on rows that were
    kept back before and after, the episodes behind it, and where the model is."""
    records = [json.loads(line) for line in (folder / METRICS).read_text(encoding="utf-8").splitlines()]
    losses = [record["sft/loss"] for record in records if record["phase"] == "step"]
    tenth = max(1, len(losses) // 10)
    measured = [record["validation/loss"] for record in records if record["phase"] == "validated"]

    def mean(values: list[float]) -> float | None:
        return round(sum(values) / len(values), 4) if values else None

    return {
        "name": plan.name,
        "stage": "sft",
        "source": plan.sft.source.value,
        "seed": plan.seed,
        "steps": plan.steps,
        "loss": {"first": mean(losses[:tenth]), "last": mean(losses[-tenth:])},
        "validation_loss": {"before": mean(measured[:1]), "after": mean(measured[-1:])} if measured else None,
        "episodes": {
            "read": chosen.read,
            "kept": chosen.kept,
            "left_out": {reason.value: count for reason, count in chosen.left_out.items()},
        },
        **({"outcomes": {name: asdict(one) for name, one in chosen.yields.items()}} if chosen.yields else {}),
        "rows": {"train": len(chosen.train), "validation": len(chosen.validation)},
        "trained_tokens": sum(sum(row.mask) for row in chosen.train),
        "model": str(folder / MODEL),
    }
