"""Runs of the real stack as their user sees them: steps, metrics, the folder, a kill in the middle, the watchdog."""

import json
import re
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from transformers import AutoModelForCausalLM, AutoTokenizer

from reseek.micro.model import make_tokenizer
from reseek.training.export import Pick, export
from reseek.training.monitor.collapse import Danger
from reseek.training.monitor.stopwatch import Part, Wait
from tests.integration.test_docs import OF_A_RUN, filled, ran
from tests.support.leftovers import ray_processes
from tests.support.runs import QUESTIONS, SESSIONS, STEPS, train
from tests.support.services import free_port

pytestmark = pytest.mark.integration


def test_the_optimiser_made_its_steps_whatever_the_forks(run):
    for step in run.steps():
        assert run.state(step, "extra_state")["lr_scheduler"]["last_epoch"] == step
        counts = {int(state["step"]) for state in run.state(step, "optim")["state"].values()}
        assert counts == {2 * step}  # 16 questions in mini-batches of 8
    weights = [run.weights(step) for step in run.steps()]
    for old, new in zip(weights, weights[1:], strict=False):
        assert any((old[name] != new[name]).any() for name in old)
    assert all(record["actor/grad_norm"] > 0 for record in run.steps().values())


def test_metrics_of_each_step(run):
    for record in run.steps().values():
        assert record["episodes/episodes"] == QUESTIONS * SESSIONS
        assert record["episodes/failed"] == 0
        assert record["episodes/segments"] > 1
        assert record["episodes/legal_rate"] >= 0.5
        assert record["episodes/reward"] == pytest.approx(
            record["episodes/answer_reward"] + record["episodes/judge_reward"]
        )
        dangers = {name: value for name, value in record.items() if name.startswith("watch/")}
        assert len(dangers) == len(Danger) and set(dangers.values()) <= {0.0, 1.0}
        assert record["episodes/right_logprob"] < 0 < record["episodes/answer_tokens"]
        stops = [value for name, value in record.items() if name.startswith("episodes/stop_")]
        assert len(stops) == 6 and sum(stops) == pytest.approx(1)
        for name in ("em", "judge_accuracy", "judge_precision", "judge_recall", "labelled_share", "drop_rate"):
            assert 0 <= record[f"episodes/{name}"] <= 1
        assert record["episodes/sampled_tokens"] == record["episodes/trained_tokens"]


def test_a_killed_run_resumes_as_if_nothing_had_happened(grpo, resumed):
    assert "resuming after step 1" in resumed.output
    phases = [record["step"] for record in resumed.metrics if record["phase"] == "step"]
    assert phases == [1, 2, 3], "no step may be missing or stand twice"
    for step in range(1, STEPS + 1):
        one, other = grpo.sessions(step), resumed.sessions(step)
        places = [[(s.training.index, s.training.session) for s in sessions] for sessions in (one, other)]
        assert places[0] == places[1], "another question order"
        same = sum(
            [segment.response for segment in a.segments] == [segment.response for segment in b.segments]
            for a, b in zip(one, other, strict=True)
        )
        assert same >= 0.95 * len(one), f"step {step}: other samples"  # rounding may turn a rare one
        ours, theirs = resumed.state(step, "extra_state"), grpo.state(step, "extra_state")
        assert ours["lr_scheduler"] == theirs["lr_scheduler"]
        assert torch.equal(ours["rng"]["cpu"], theirs["rng"]["cpu"])
        assert str(ours["rng"]["numpy"]) == str(theirs["rng"]["numpy"])
        if same < len(one):
            break  # from here on the two runs have learnt from other tokens
        weights = resumed.weights(step), grpo.weights(step)
        drift = max(float((weights[0][name] - weights[1][name]).abs().max()) for name in weights[0])
        assert drift <= 1e-6, f"step {step}"  # one Adam step moves a weight by about 1e-4


def test_the_checkpoint_exports(grpo, tmp_path):
    folder = export(grpo.folder, tmp_path / "exported")
    exported = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32)
    weights = grpo.weights(STEPS)
    for name, tensor in exported.state_dict().items():
        if name in weights:
            assert torch.equal(tensor, weights[name]), name
    tokenizer = AutoTokenizer.from_pretrained(folder)
    assert tokenizer.get_vocab() == make_tokenizer().get_vocab()
    assert tokenizer.chat_template == make_tokenizer().chat_template


def test_validation_ran(grpo):
    (record,) = [r for r in grpo.metrics if r["phase"] == "validated"]
    assert record["step"] == 3
    assert record["validation/episodes"] == 16
    assert 0 <= record["validation/em"] <= 1


def test_the_best_validated_checkpoint_is_kept_and_exports(grpo, tmp_path):
    (record,) = [r for r in grpo.metrics if r["phase"] == "validated"]
    best = json.loads((grpo.folder / "result.json").read_text())["best"]
    assert best == json.loads((grpo.folder / "best.json").read_text())
    assert (best["step"], best["em"], best["questions"]) == (STEPS, record["validation/em"], 16)
    assert record["validation/best_step"] == STEPS and record["validation/best_em"] == best["em"]
    folder = export(grpo.folder, tmp_path / "best", pick=Pick.BEST)
    weights = load_file(folder / "model.safetensors")
    assert all(torch.equal(weight, grpo.weights(STEPS)[name]) for name, weight in weights.items())


def test_the_run_folder_tells_what_ran(resumed):
    card = json.loads((resumed.folder / "result.json").read_text())
    assert card["steps"] == STEPS
    assert Path(card["checkpoint"]).is_dir()
    versions = json.loads((resumed.folder / "versions.json").read_text())
    assert versions["verl"] == "0.9.1" and versions["seed"] == 0
    assert f"questions_per_step: {QUESTIONS}" in (resumed.folder / "config.yaml").read_text()
    assert list((resumed.folder / "tensorboard").rglob("events.out.tfevents.*"))
    assert not (resumed.folder / "running.json").exists()


def test_every_second_of_a_step_is_some_part_s(run):
    for record in run.steps().values():
        parts = {part: record[f"timing/{part.value}"] for part in Part}
        assert sum(parts.values()) == pytest.approx(record["timing/whole"])
        assert record["timing/whole"] >= record["timing_s/step"] > 0
        within = [record[f"timing/rollout_{wait.value}"] for wait in Wait]
        assert sum(within) == pytest.approx(parts[Part.ROLLOUT]) and record["timing/rollout_sampling"] > 0
        for part in (Part.ROLLOUT, Part.TRANSFER, Part.LOG_PROBS, Part.UPDATE, Part.SYNC, Part.CHECKPOINT):
            assert parts[part] > 0, part


def test_the_run_ends_with_its_curve_and_its_profile(grpo):
    assert f"curve: {grpo.folder / 'curve.png'}" in grpo.output and (grpo.folder / "curve.png").stat().st_size > 5000
    assert "whole step" in grpo.output and "once: ray workers engine" in grpo.output
    assert json.loads((grpo.folder / "result.json").read_text())["seconds"]["steps"] == STEPS - 1


@pytest.mark.long
def test_a_run_whose_oracle_is_away_stops_with_the_cause(tmp_path, shared_cache):
    service = ("oracle=remote", f"oracle.urls=[http://127.0.0.1:{free_port()}]", "oracle.model=x")
    times = ("oracle.patience_s=5", "oracle.timeout_s=2", "oracle.window_tokens=256")
    done = train(tmp_path / "run", shared_cache, *service, *times, "algo.steps=1")
    assert done.returncode == 1
    (line,) = done.stderr.splitlines()
    assert re.match(r"error: the run failed .*: scoring failed for \d+ of \d+ sessions of step 1, more than", line)
    assert "oracle.most_failed=0.2" in line and "ConnectError" in line
    assert not (tmp_path / "run" / "running.json").exists() and ray_processes() == []


@pytest.mark.long
def test_a_run_whose_search_fails_often_stops_with_the_cause(tmp_path, shared_cache):
    """Nearly half of the sessions would be left, and not the ones that search most."""
    failing = ("search.name=tests.support.faults:FailingSearch", "algo.steps=1")
    done = train(tmp_path / "run", shared_cache, *failing)
    assert done.returncode == 1
    line = done.stderr.splitlines()[-1]  # after the bars of making the model
    assert re.match(r"error: the run failed .*: search failed for \d+ of \d+ sessions of step 1, more than", line), line
    assert "search.most_failed=0.2" in line and "the shard of this query is away" in line
    assert not (tmp_path / "run" / "checkpoints").exists() and ray_processes() == []


@pytest.mark.long
def test_a_run_whose_loss_is_no_number_stops_before_the_next_step(tmp_path, shared_cache):
    done = train(tmp_path / "run", shared_cache, "algo.estimator=tests.support.faults:NotFinite", "algo.steps=2")
    assert done.returncode == 1
    line = done.stderr.splitlines()[-1]  # after the bars of making the model
    assert re.match(r"error: the run failed .* of step 1 is nan: its update was not made", line), line
    assert not (tmp_path / "run" / "checkpoints" / "global_step_1").exists() and ray_processes() == []


def test_the_terminal_shows_each_step(grpo, resumed):
    assert all(f"step {step} " in grpo.output for step in (1, 2, 3))
    assert "step 3 " in resumed.output and "step 1  " not in resumed.output


def test_a_search_service_killed_in_a_step_costs_only_time(killed_service):
    run = killed_service.run
    assert killed_service.before > 0 and killed_service.after > 0
    for step, record in run.steps().items():
        assert record["episodes/failed"] == 0
        assert len(run.sessions(step)) == QUESTIONS * SESSIONS  # none was given up
    facts = json.loads((run.folder / "corpus.json").read_text())
    assert facts["retriever"] == "lucene" and len(facts["fingerprint"]) == 64


def test_a_hung_run_is_ended_with_a_clear_message(tmp_path, shared_cache, mixed):
    # The start of verl and vLLM takes longer than this without a sign of life: to the watchdog that is a hang.
    started = time.monotonic()
    run = train(tmp_path / "hung", shared_cache, *mixed, "algo.steps=1", "run.watchdog_s=8", timeout=300)
    assert run.returncode == 1
    (line,) = [line for line in run.stderr.splitlines() if line.startswith("error:")]
    assert "hangs" in line and "run.watchdog_s" in line and "train.log" in line
    assert time.monotonic() - started < 250


@pytest.mark.parametrize("command", OF_A_RUN)
def test_commands_on_a_run_work(command, grpo, tmp_path):
    words = filled(command, {"RUN": str(grpo.folder), "MODEL": str(tmp_path / "model")})
    run = ran(words, tmp_path)
    assert run.returncode == 0, run.stdout + run.stderr


def test_nothing_is_left_behind(nothing_left, grpo, resumed, reinforce, ppo):
    assert nothing_left() == (set(), [])
