"""A training run from start to end: checks, Ray, verl's task runner, the watchdog, the display.

All output of the workers goes to `train.log` in the run's folder; the terminal shows the display.
"""

import contextlib
import io
import json
import re
import sys
import time
import warnings
from dataclasses import asdict
from pathlib import Path

from omegaconf import DictConfig, OmegaConf, open_dict
from rich.console import Console

from corpora.atomic import write_json
from reseek.config.settings import TrainSettings, load_settings
from reseek.errors import InputError
from reseek.preparation.preflight import check_budgets, check_oracle, check_trainable, check_training
from reseek.preparation.prepare import Prepared, prepare
from reseek.questions.provenance import write_manifests
from reseek.run.checkpoint_layout import newest_huggingface
from reseek.run.command import require_platform
from reseek.run.folder import Kind
from reseek.run.lifecycle import Run
from reseek.training.checkpoints import read_best, resume_step
from reseek.training.monitor.profile import STARTED, Start, read_profile, table


class RunFailed(Exception):
    """The run ended without finishing. The message is one line; details are in the log."""


def train(config: DictConfig) -> Path:
    """Check, prepare, train. Returns the run's folder (with `run.check_only` it is not made and nothing is started).
    Raises InputError for bad input before anything is started, and RunFailed when the run ends early."""
    settings = load_settings(config, TrainSettings)
    check_trainable(settings)
    check_budgets(
        settings.agent,
        config.data.max_prompt_length,
        config.data.max_response_length,
        config.actor_rollout_ref.rollout.max_model_len,
    )
    if not settings.run.check_only:
        require_platform(settings.cluster.device)
    with Run(settings, Kind.TRAINING, log="train.log") as run:
        run.check_free()
        prepared = prepare(settings)
        complete(config, prepared)
        check_training(settings, config, prepared)
        check_oracle(settings.oracle)
        check_verl(config)
        if settings.run.check_only:
            return run.folder
        run.claim()
        run.record(config)
        write_manifests(run.folder, prepared.manifests)
        write_json(run.folder / "corpus.json", prepared.searched and prepared.searched.model_dump())
        console = run.open_log()
        run.resume_after(resume_step(run.folder), console)
        began = time.monotonic()
        _start_ray(run)
        _watch(config, run, console, began)
        _show_profile(run.folder, console)
        run.write_card(result_card(run.folder, settings))
    from reseek.training.monitor.learning_curve import (
        draw_run,  # matplotlib: only who has something to draw waits for it
    )

    draw_run(run.folder)
    return run.folder


def complete(config: DictConfig, prepared: Prepared) -> None:
    """Write the prepared paths into the configuration that the workers get."""
    with open_dict(config):
        config.policy.path = prepared.model
        config.corpus.index = None if prepared.index is None else str(prepared.index)
        config.questions.train = str(prepared.train)
        config.questions.validation = None if prepared.validation is None else str(prepared.validation)
        config.run.dir = str(Path(config.run.dir).resolve())
        config.oracle.update(oracle_paths(config.oracle))
        if prepared.validation is None:
            # verl insists on a validation set; without one it is never asked.
            config.data.val_files = str(prepared.train)
            config.data.val_max_samples = 1
            config.trainer.val_before_train = False
            config.trainer.test_freq = -1


def oracle_paths(oracle: DictConfig) -> dict[str, str]:
    """The oracle's paths, absolute. A model that is no folder here is a hub's."""
    given = {key: Path(oracle[key]) for key in ("model", "cache", "calibration") if oracle.get(key) is not None}
    return {key: str(path.resolve()) for key, path in given.items() if key != "model" or path.is_dir()}


def check_verl(config: DictConfig) -> None:
    """verl's own checks of the composed configuration, as one line."""
    from verl.trainer.ppo.utils import need_critic, need_reference_policy
    from verl.utils.config import validate_config

    try:
        with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # "Disabled critic as ...": said for every algorithm without one
            validate_config(config, need_reference_policy(config), need_critic(config))
    except (AssertionError, ValueError) as error:
        raise InputError(f"verl refuses the configuration: {error}") from None


def _start_ray(run: Run[TrainSettings]) -> None:
    from verl.trainer.constants_ppo import get_ppo_ray_runtime_env

    runtime_env = get_ppo_ray_runtime_env()
    variables = {**runtime_env.get("env_vars", {}), "TRANSFER_QUEUE_ENABLE": "1"}
    run.start_ray({**runtime_env, "env_vars": variables})


def _watch(config: DictConfig, run: Run[TrainSettings], console: Console, began: float) -> None:
    """Run verl's task and follow it until it ends or nothing has happened for `run.watchdog_s`. `began` is the start of
    the launch on the monotonic clock."""
    import ray

    from reseek.training.monitor.progress import Display
    from reseek.training.monitor.reports import NAME, Board
    from reseek.training.verl_plugin.task_runner import Runner

    # Ray adds `options` and `remote` to the classes that it decorates.
    board = Board.options(name=NAME).remote()  # type: ignore[attr-defined]
    task = Runner.remote().run.remote(  # type: ignore[attr-defined]
        OmegaConf.to_container(config, resolve=True)
    )
    phase, metrics_file, watchdog_s = "start", run.folder / "metrics.jsonl", run.settings.run.watchdog_s
    start: Start | None = Start(began)
    with Display(console) as display, metrics_file.open("a", encoding="utf-8") as metrics:
        while True:
            done, _ = ray.wait([task], timeout=1.0)
            reports, silent_for = ray.get(board.read.remote())
            display.update(reports)
            for report in reports:
                phase = f"{report.phase} of step {report.step}"
                if start is not None and (timing := start.until(report.phase)) is not None:
                    metrics.write(json.dumps({"step": report.step - 1, "phase": STARTED, **timing}) + "\n")
                    start = None
                if report.metrics:
                    metrics.write(json.dumps({"step": report.step, "phase": report.phase, **report.metrics}) + "\n")
                    metrics.flush()
            if done:
                break
            if silent_for > watchdog_s:
                raise RunFailed(
                    f"the run hangs: nothing happened for {silent_for:.0f} s (run.watchdog_s) in phase '{phase}'; "
                    f"ended it, see {run.log}"
                )
    try:
        ray.get(task)
    except ray.exceptions.RayError as error:
        print(f"{error}", file=sys.stderr)  # stderr is train.log here
        raise RunFailed(
            f"the run failed in phase '{phase}': {last_exception(str(error))}; see {run.log}"
        ) from error


def _show_profile(folder: Path, console: Console) -> None:
    profile = read_profile(folder)
    if profile is not None:
        console.print(table(profile))


def last_exception(traceback: str) -> str:
    """The last exception of a remote traceback as one line; of our own kinds the message alone."""
    lines = [line.strip() for line in traceback.splitlines() if line.strip()]
    for number in range(len(lines) - 1, -1, -1):
        if re.match(r"[\w.]*(Error|Exception|Failed|Stopped|Died|Exit)\b", lines[number]):
            return re.sub(r"^reseek(\.\w+)+: ", "", " ".join(lines[number : number + 3]))[:400]
    return lines[-1] if lines else "no reason given"


def result_card(folder: Path, settings: TrainSettings) -> dict:
    """The run in a few numbers: metrics of the last step and the last validation, the newest and the best checkpoint
    (reseek/training/checkpoints.py)."""
    last: dict[str, dict] = {}
    for line in (folder / "metrics.jsonl").read_text(encoding="utf-8").splitlines():
        record = json.loads(line)
        last[record["phase"]] = record
    return {
        "name": settings.run.name,
        "seed": settings.run.seed,
        "steps": last.get("step", {}).get("step"),
        "training": {k: v for k, v in last.get("step", {}).items() if k.startswith("episodes/")},
        "validation": {k: v for k, v in last.get("validated", {}).items() if k.startswith("validation/")},
        "checkpoint": str(path) if (path := newest_huggingface(folder)) else None,
        "best": best.model_dump() if (best := read_best(folder)) else None,
        "seconds": asdict(profile) if (profile := read_profile(folder)) else None,
    }
