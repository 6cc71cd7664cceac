"""`reseek export` on a checkpoint of two ranks, and `reseek eval` on what it made, with both engines.

The checkpoint is written by FSDP2 in two processes, without verl: tests/support/checkpoints.py says in which form.
A checkpoint that verl wrote is exported in test_training.py.
"""

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
import torch

from reseek.micro.model import make_model, make_tokenizer
from tests.support.checkpoints import write_shards_by_fsdp2, write_the_rest

pytestmark = pytest.mark.integration

ROOT = Path(__file__).resolve().parents[2]
RANKS, QUESTIONS = 2, 5
# Ends with an action that a model with a planted copying circuit repeats: it searches only if its chat template came
# along.
_ROUND = "\n<information> river</information>\n<judge>No</judge>"
TEMPLATE = "{{ messages[0]['content'] }}" + 2 * (_ROUND + " : <search> profession</search>") + _ROUND


def run(cache: Path, *command: str | Path) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "RESEEK_CACHE": str(cache)}
    words = [sys.executable, *map(str, command)]
    return subprocess.run(words, env=environment, capture_output=True, text=True, timeout=300, cwd=ROOT)


@dataclass(frozen=True)
class Exported:
    """A run's folder, the plain folder of its weights, the folder that the command made and what it said."""

    run: Path
    trained: Path
    folder: Path
    said: str


@pytest.fixture(scope="module")
def exported(tmp_path_factory, shared_cache: Path) -> Exported:
    base = tmp_path_factory.mktemp("export")
    tokenizer = make_tokenizer()
    tokenizer.chat_template = TEMPLATE
    model = make_model(0, len(tokenizer))
    model.save_pretrained(base / "trained")
    step = base / "run" / "checkpoints" / "global_step_2"
    (step / "actor").mkdir(parents=True)
    write_shards_by_fsdp2(step / "actor", base / "trained", RANKS)
    write_the_rest(step / "actor", model, tokenizer, RANKS)
    (step / "data.pt").touch()
    done = run(shared_cache, "-m", "reseek", "export", base / "run", "--out", base / "exported")
    assert done.returncode == 0, done.stdout + done.stderr
    return Exported(base / "run", base / "trained", base / "exported", done.stdout)


def test_plain_transformers_gives_bit_identical_logits(exported: Exported) -> None:
    from transformers import AutoModelForCausalLM, AutoTokenizer

    trained, loaded = (AutoModelForCausalLM.from_pretrained(f) for f in (exported.trained, exported.folder))
    assert loaded.dtype == torch.float32
    tokenizer = AutoTokenizer.from_pretrained(exported.folder)
    assert tokenizer.chat_template == TEMPLATE
    ids = torch.tensor([tokenizer.encode("<search>river</search> Who was born in 1899?")])
    with torch.no_grad():
        assert torch.equal(loaded(ids).logits, trained(ids).logits)


def test_the_command_says_in_one_line_what_it_made_and_what_is_wrong(exported: Exported, shared_cache: Path) -> None:
    assert exported.said.endswith(", float32, of run/checkpoints/global_step_2/actor\n")
    assert exported.said.count("\n") == 1
    again = run(shared_cache, "-m", "reseek", "export", exported.run, "--out", exported.folder)
    assert again.returncode == 2 and again.stdout == ""
    assert again.stderr == f"error: {exported.folder}: exists already; delete it or name another folder\n"


@pytest.mark.parametrize("engine", ["vllm", "transformers"])
def test_it_can_be_evaluated(exported: Exported, shared_cache: Path, tmp_path: Path, engine: str) -> None:
    done = run(
        shared_cache,
        "eval.py",
        "policy=path",
        f"policy.path={exported.folder}",
        f"evaluation.engine={engine}",
        f"evaluation.limit={QUESTIONS}",
        "agent.prompt_tokens=128",
        f"run.dir={tmp_path / 'run'}",
    )
    assert done.returncode == 0, done.stdout + done.stderr
    of_set = json.loads((tmp_path / "run" / "result.json").read_text())["sets"]["test"]
    assert of_set["questions"] == QUESTIONS and of_set["failed"] == 0
    assert of_set["searches"] > 0
