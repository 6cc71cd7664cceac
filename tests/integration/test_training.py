"""The real stack, launched twice: Hydra, verl, Ray, vLLM, Lucene, on the embedded world with a short warm-up.

First launch: 2 GRPO steps, a validation, a checkpoint. Second launch: resumes and makes the third step. All tests of
this file read what these two launches left; a third, short one is left to the watchdog.
"""

import json
import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
from safetensors.torch import load_file

pytestmark = pytest.mark.integration

ROOT = Path(__file__).resolve().parents[2]
WARMUP_STEPS = 300
SMALL = (
    f"policy.warmup_steps={WARMUP_STEPS}",
    "algo.questions_per_step=8",
    "algo.mini_batch_questions=8",
    "algo.sessions_per_question=4",
    "algo.save_every=1",
    "algo.learning_rate=1e-4",
    "algo.validate_first=false",
    "algo.validate_every=2",
    "questions.validation_limit=16",
)


def train(folder: Path, cache: Path, *overrides: str, timeout: float = 900) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "train.py"), f"run.dir={folder}", *overrides]
    environment = {**os.environ, "RESEEK_CACHE": str(cache)}
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=timeout, cwd=ROOT)


def ray_processes() -> list[str]:
    names = []
    for process in psutil.process_iter(["name", "cmdline"]):
        line = " ".join(process.info["cmdline"] or ())
        if "raylet" in line or "gcs_server" in line or "ray::" in line or "EngineCore" in line:
            names.append(line[:80])
    return names


def shared_memory() -> set[str]:
    return set(os.listdir("/dev/shm"))


@dataclass(frozen=True)
class Launches:
    folder: Path
    outputs: tuple[str, str]
    metrics: list[dict]
    shm_left: set[str]
    processes_left: list[str]

    def steps(self) -> dict[int, dict]:
        return {record["step"]: record for record in self.metrics if record["phase"] == "step"}

    def weights(self, step: int):
        return load_file(
            self.folder / "checkpoints" / f"global_step_{step}" / "actor" / "huggingface" / "model.safetensors"
        )


@pytest.fixture(scope="module")
def launches(tmp_path_factory, shared_cache) -> Launches:
    folder = tmp_path_factory.mktemp("training") / "run"
    before = shared_memory()
    first = train(folder, shared_cache, *SMALL, "algo.steps=2")
    assert first.returncode == 0, first.stdout + first.stderr + _log(folder)
    second = train(folder, shared_cache, *SMALL, "algo.steps=3")
    assert second.returncode == 0, second.stdout + second.stderr + _log(folder)
    metrics = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return Launches(folder, (first.stdout, second.stdout), metrics, shared_memory() - before, ray_processes())


def _log(folder: Path) -> str:
    log = folder / "train.log"
    return "\n".join(log.read_text(errors="replace").splitlines()[-60:]) if log.is_file() else ""


def test_two_steps_and_a_resumed_third(launches):
    assert sorted(launches.steps()) == [1, 2, 3]
    phases = [(record["phase"], record["step"]) for record in launches.metrics if record["phase"] == "step"]
    assert phases == [("step", 1), ("step", 2), ("step", 3)], "the resumed launch must not repeat a step"


def test_rollout_and_trainer_agree(launches):
    for step, record in launches.steps().items():
        assert record["training/rollout_probs_diff_max"] <= 1e-4, f"step {step}"
        assert record["training/rollout_probs_diff_valid"] == 1


def test_weights_changed_in_every_step(launches):
    one, two, three = (launches.weights(step) for step in (1, 2, 3))
    for old, new in ((one, two), (two, three)):
        assert any((old[name] != new[name]).any() for name in old)
    assert all(record["actor/grad_norm"] > 0 for record in launches.steps().values())


def test_every_step_has_a_fork_and_legal_actions(launches):
    for record in launches.steps().values():
        assert record["episodes/segments"] > 1.0
        assert record["episodes/drop_rate"] > 0
        assert record["episodes/legal_rate"] >= 0.5
        assert record["episodes/episodes"] == 32
        assert record["episodes/failed"] == 0


def test_validation_ran(launches):
    (record,) = [r for r in launches.metrics if r["phase"] == "validated" and r["step"] == 2]
    assert record["validation/episodes"] == 16
    assert 0 <= record["validation/em"] <= 1


def test_the_run_folder_tells_what_ran(launches):
    card = json.loads((launches.folder / "result.json").read_text())
    assert card["steps"] == 3
    assert Path(card["checkpoint"]).is_dir()
    versions = json.loads((launches.folder / "versions.json").read_text())
    assert versions["verl"] == "0.9.1" and versions["seed"] == 0
    assert "questions_per_step: 8" in (launches.folder / "config.yaml").read_text()
    assert list((launches.folder / "tensorboard").rglob("events.out.tfevents.*"))


def test_the_terminal_shows_each_step(launches):
    assert "step 1 " in launches.outputs[0] and "step 2 " in launches.outputs[0]
    assert "step 3 " in launches.outputs[1] and "step 1 " not in launches.outputs[1]


def test_nothing_is_left_behind(launches):
    assert launches.shm_left == set()
    assert launches.processes_left == []


def test_a_hung_run_is_ended_with_a_clear_message(tmp_path, shared_cache):
    # The start of verl and vLLM takes longer than this without a sign of life: to the watchdog that is a hang.
    before, started = shared_memory(), time.monotonic()
    run = train(tmp_path / "hung", shared_cache, *SMALL, "algo.steps=1", "run.watchdog_s=8", timeout=300)
    assert run.returncode == 1
    (line,) = [line for line in run.stderr.splitlines() if line.startswith("error:")]
    assert "hangs" in line and "run.watchdog_s" in line and "train.log" in line
    assert time.monotonic() - started < 250
    assert shared_memory() - before == set()
    assert ray_processes() == []
