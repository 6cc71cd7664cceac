"""`reseek sft` on a CPU as its user sees it, and its rows beside those that RL trains."""

import json
import random
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from datasets import load_from_disk
from transformers import AutoModelForCausalLM, AutoTokenizer

from fictionalhot.worlds.small.names import Split
from fictionalhot.worlds.small.world import ensure_world
from reseek.micro.model import make_tokenizer
from reseek.questions.record import read_questions
from reseek.rollout.records import read_records
from reseek.sft.plan import last_checkpoint
from tests.support.runs import ROOT, environment

pytestmark = pytest.mark.integration

SMALL = ("stage=sft", "sft.steps=6", "sft.batch_rows=8", "sft.device_rows=4")
RANDOM = ("policy=micro", "policy.warmup_steps=0")
PLAYED = 24


def sft(
    folder: Path, cache: Path, *overrides: str, policy: tuple[str, ...] = RANDOM
) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "train.py"), *SMALL, *policy, f"run.dir={folder}", *overrides]
    limit = f"questions.train_limit={PLAYED}"
    return subprocess.run(
        [*command, limit], env=environment(cache), capture_output=True, text=True, timeout=400, cwd=ROOT
    )


def lines(folder: Path) -> list[dict]:
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


@pytest.fixture(scope="module")
def scripted(tmp_path_factory, shared_cache) -> Path:
    """The folder of a run that imitates the expert."""
    folder = tmp_path_factory.mktemp("sft") / "run"
    done = sft(folder, shared_cache)
    log = folder / "sft.log"
    assert done.returncode == 0, done.stdout + done.stderr + (log.read_text() if log.is_file() else "")
    assert f"done: {folder}" in done.stdout and "training 6/6" in done.stdout
    return folder


def test_rows_are_those_that_rl_trains():
    from reseek.config.agent import ContextPolicy
    from reseek.rollout.training_record import training_records
    from reseek.sft.rows import Row, candidate_of_record
    from reseek.training.verl_plugin.agent_loop import outputs_of  # imports verl
    from tests.support.rollouts import batch_rows
    from tests.support.wanderer import wander_scored

    forked = 0
    for seed in range(60):
        context = random.Random(seed).choice(list(ContextPolicy))
        episode, reward, record = wander_scored(seed, context=context)
        outputs = outputs_of(episode, reward, [], {})
        rl = tuple(
            Row((*one.prompt_ids, *one.response_ids), (*[0] * len(one.prompt_ids), *one.response_mask))
            for one in outputs
        )
        assert candidate_of_record(record, "evaluation").rows == rl
        rows = batch_rows("u_0", 0, episode, reward, record)
        (recorded,) = training_records(rows, 1, context)
        assert candidate_of_record(recorded, "evaluation") == candidate_of_record(record, "evaluation")
        forked += len(rl) > 1
    assert forked > 5


def test_the_loss_falls_on_questions_that_were_kept_back(scripted):
    card = json.loads((scripted / "result.json").read_text())
    assert card["validation_loss"]["after"] < card["validation_loss"]["before"] - 0.5
    assert card["loss"]["last"] < card["loss"]["first"] - 0.5
    episodes = card["episodes"]
    assert episodes["read"] == PLAYED == episodes["kept"] + sum(episodes["left_out"].values())
    assert card["rows"]["validation"] > 0
    assert [record["step"] for record in lines(scripted) if record["phase"] == "step"] == list(range(1, 7))


def test_the_folder_tells_what_ran(scripted):
    records = read_records(scripted / "episodes" / "scripted.jsonl")
    assert len(records) == PLAYED and sum(record.em or 0 for record in records) > PLAYED / 2
    config = (scripted / "config.yaml").read_text()
    assert "stage: sft" in config and "actor_rollout_ref" not in config
    assert json.loads((scripted / "versions.json").read_text())["transformers"]
    assert list((scripted / "tensorboard").glob("events.out.tfevents.*"))


def test_the_model_is_read_by_transformers_with_its_tokenizer(scripted):
    model = AutoModelForCausalLM.from_pretrained(scripted / "model")
    assert model.dtype == torch.float32
    tokenizer = AutoTokenizer.from_pretrained(scripted / "model")
    assert tokenizer.get_vocab() == make_tokenizer().get_vocab()
    assert tokenizer.chat_template == make_tokenizer().chat_template


def test_a_killed_run_resumes_from_its_checkpoint(scripted, shared_cache, tmp_path):
    folder, keys = tmp_path / "run", ("sft=recorded", f"sft.files=[{scripted / 'episodes'}]", "sft.steps=60")
    limit = f"questions.train_limit={PLAYED}"
    saving = ("sft.save_every=5", "sft.validation_share=0")
    first = subprocess.Popen(
        [sys.executable, str(ROOT / "train.py"), *SMALL, *RANDOM, *keys, *saving, limit, f"run.dir={folder}"],
        env=environment(shared_cache),
        stdout=subprocess.DEVNULL,
        cwd=ROOT,
    )
    started = time.monotonic()
    while not last_checkpoint(folder):
        assert first.poll() is None and time.monotonic() - started < 300
        time.sleep(0.1)
    first.send_signal(signal.SIGKILL)
    first.wait()
    again = sft(folder, shared_cache, *keys, *saving)  # ends what the killed one has left running
    assert again.returncode == 0, again.stdout + again.stderr
    assert re.search(r"resuming after step \d+, from its checkpoint", again.stdout)
    assert [record["step"] for record in lines(folder)] == list(range(1, 61))
    other = sft(folder, shared_cache, *keys, *saving, "sft.learning_rate=1e-2")
    assert other.returncode == 2
    assert "holds a run of other settings (learning_rate was 1e-05, is now 0.01)" in other.stderr


def test_a_refused_run_leaves_the_folder_as_it_is(scripted, shared_cache):
    before = {path: path.read_bytes() for path in scripted.rglob("*") if path.is_file()}
    other = sft(scripted, shared_cache, "sft.learning_rate=0.5")
    assert other.returncode == 2 and "holds a run of other settings (learning_rate was " in other.stderr
    assert {path: path.read_bytes() for path in scripted.rglob("*") if path.is_file()} == before


def test_a_run_whose_search_fails_often_trains_nothing(tmp_path, shared_cache):
    folder = tmp_path / "run"
    done = sft(folder, shared_cache, "search.name=tests.support.faults:FailingSearch")
    assert done.returncode == 1
    said = rf"error: search failed for \d+ of {PLAYED} episodes, more than search.most_failed=0.2 allows; .*\n"
    assert re.search(said + r"\Z", done.stderr), done.stderr
    assert not (folder / "rows").exists() and not (folder / "model").exists()


def test_two_devices_take_the_same_steps_as_one(scripted, shared_cache, tmp_path):
    """Two processes on the CPU: the same batches, the same loss over all their trained tokens."""
    keys = ("sft=recorded", f"sft.files=[{scripted / 'episodes'}]", "sft.learning_rate=1e-3", "sft.device_rows=2")
    losses = {}
    for devices in (1, 2):
        folder = tmp_path / str(devices)
        done = sft(folder, shared_cache, *keys, "sft.steps=4", f"cluster.gpus_per_node={devices}")
        assert done.returncode == 0, done.stdout + done.stderr + (folder / "sft.log").read_text()
        losses[devices] = [record["sft/loss"] for record in lines(folder) if record["phase"] == "step"]
    assert len(losses[1]) == 4
    assert losses[2] == pytest.approx(losses[1], abs=1e-4)


def test_a_checkpoint_s_own_episodes_are_imitated(scripted, shared_cache, tmp_path):
    """Rejection sampling; the model rarely answers right, so right answers are not required."""
    folder, model = tmp_path / "run", ("policy=path", f"policy.path={scripted / 'model'}")
    keys = ("sft=sampled", "sft.engine=transformers", "sft.samples=2", "sft.right=false", "sft.steps=2")
    done = sft(folder, shared_cache, *keys, "sft.most_per_question=1", policy=model)
    assert done.returncode == 0, done.stdout + done.stderr
    first, second = (read_records(folder / "episodes" / f"sample_{number}.jsonl") for number in (0, 1))
    assert len(first) == len(second) == PLAYED
    said = [{record.id: [call.text for call in record.calls] for record in records} for records in (first, second)]
    assert said[0] != said[1], "every sample has random numbers of its own"
    card = json.loads((folder / "result.json").read_text())
    assert card["episodes"]["read"] == 2 * PLAYED and card["source"] == "sampled"
    assert card["episodes"]["kept"] == PLAYED


def test_eval_reads_the_model(scripted, shared_cache, tmp_path):
    done = subprocess.run(
        [sys.executable, str(ROOT / "eval.py"), "policy=path", f"policy.path={scripted / 'model'}"]
        + ["evaluation.engine=transformers", "evaluation.limit=4", f"run.dir={tmp_path / 'eval'}"],
        env=environment(shared_cache),
        capture_output=True,
        text=True,
        timeout=400,
        cwd=ROOT,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert json.loads((tmp_path / "eval" / "result.json").read_text())["sets"]["test"]["questions"] == 4


def test_an_expert_plays_any_questions(shared_cache, tmp_path):
    """Of the embedded world, without its hops; only training questions are in the episodes and the rows."""
    folder = tmp_path / "run"
    done = sft(folder, shared_cache, "sft=expert", "sft.yes_share=null", "sft.batch_rows=8", "sft.device_rows=4")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "answer trained" in done.stdout
    records = read_records(folder / "episodes" / "expert.jsonl")
    assert len(records) == PLAYED and all(call.action.value != "invalid" for one in records for call in one.calls)
    card = json.loads((folder / "result.json").read_text())
    assert sum(one["played"] for one in card["outcomes"].values()) == card["episodes"]["read"] == PLAYED

    world, tokenizer = ensure_world(shared_cache / "world-0", 0), make_tokenizer()
    rows = [row for path in (folder / "rows").iterdir() for row in load_from_disk(path)["input_ids"]]
    texts = [tokenizer.decode(row) for row in rows]

    def used(split: Split) -> set[str]:
        questions = read_questions(world.questions(split))
        written = {question.id: tokenizer.decode(tokenizer.encode(question.question)) for question in questions}
        return {one for one, text in written.items() if any(text in row for row in texts)}

    assert used(Split.TRAIN) == {record.id for record in records if record.em == 1.0}
    assert not used(Split.VALIDATION) and not used(Split.TEST)
