"""Every command in README.md and docs/ is executed, small inputs in place of placeholders, up to where workers start.

`reseek train`, `reseek sft` and `reseek eval` are checked with `run.check_only=true` (test_training, test_sft and
test_eval start them); the other commands run to their end, services until they answer. `make` and `pip` lines are what
CI and the set-up tests run.
"""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pyarrow
import pyarrow.parquet
import pytest
from hydra import compose, initialize_config_dir
from transformers import LlamaForSequenceClassification

from corpora.index import build_index
from fictionalhot.worlds.small.names import Split
from fictionalhot.worlds.small.world import ensure_world
from reseek.config.composition import register_config
from reseek.config.questions import KNOWN_SETS
from reseek.config.resolvers import CONF
from reseek.micro.model import make_model, make_tokenizer
from tests.support.copying import save_copying_model
from tests.support.corpora import write
from tests.support.fiction import PASSAGES as REAL
from tests.support.fiction import QUESTIONS as SEEDS
from tests.support.judging import Endpoint
from tests.support.services import free_port, service
from tests.support.wanderer import wander

pytestmark = pytest.mark.integration

ROOT = CONF.parent
PROGRAM = Path(sys.executable).with_name("reseek")
SERVE = "reseek corpus serve"
WARMUP = "reseek warmup"
BREAK = "python -m tests.support.broken"
IN_A_FOLDER = ("reseek corpus", "reseek fictionalhot", "reseek doctor", BREAK)
ORACLES = ("reseek calibrate", "reseek finetune-oracle")
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def commands() -> list[str]:
    """The commands of all pages, once each: lines of bash blocks, and text in backticks that begins like one."""
    found: dict[str, None] = {}
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for block in re.findall(r"```bash\n(.*?)```", text, re.DOTALL):
            for line in block.replace("\\\n", " ").splitlines():
                found[" ".join(line.partition(" #")[0].split())] = None
        prose = re.sub(r"```.*?```", "", text, flags=re.DOTALL)
        for inline in re.findall(r"`((?:reseek|python|make|pip) [^`]+)`", prose):
            found[" ".join(inline.split())] = None
    return [command for command in found if command]


@pytest.fixture(scope="module")
def inputs(tmp_path_factory) -> Iterator[dict[str, str]]:
    """The values of the pages' placeholders."""
    folder = tmp_path_factory.mktemp("inputs")
    passages = ROOT / "tests" / "data" / "passages.jsonl"
    questions = folder / "nq.test.jsonl"
    questions.write_text(
        "".join(
            json.dumps({"id": str(i), "question": f"Who is number {i}?", "golden_answers": ["A"]}) + "\n"
            for i in range(600)
        )
    )
    (folder / "lines.jsonl").write_text(json.dumps({"line": "Who?\tAda"}) + "\n")
    pyarrow.parquet.write_table(pyarrow.Table.from_pylist([{"query": "Who?", "label": "Ada"}]), folder / "rows.parquet")
    for name in set(KNOWN_SETS) - {"nq", "fictionalhot"}:
        shutil.copyfile(questions, folder / f"{name}.test.jsonl")
    model = folder / "model"
    tokenizer = make_tokenizer()
    tokenizer.save_pretrained(model)
    network = make_model(0, len(tokenizer))
    network.config.max_position_embeddings = 8192
    network.save_pretrained(model)
    network.config.num_labels = 1
    LlamaForSequenceClassification(network.config).save_pretrained(folder / "reranker")
    tokenizer.save_pretrained(folder / "reranker")
    base = folder / "base"
    build_index(passages, base)
    new = folder / "new.jsonl"
    new.write_text(json.dumps({"id": "new", "title": "New Glass Works", "text": "It makes glass."}) + "\n")
    with zipfile.ZipFile(ROOT / "tests" / "data" / "lucene8-index.zip") as archive:
        archive.extractall(folder / "theirs")
    write(folder / "real.jsonl.gz", REAL)
    seeds = folder / "seeds.jsonl"
    seeds.write_text("".join(seed.model_dump_json() + "\n" for seed in SEEDS))
    make_benchmark = (
        f"{seeds} --corpus {folder / 'real.jsonl.gz'} --index {folder / 'real'} --out {folder / 'benchmark'}"
    )
    subprocess.run([PROGRAM, "fictionalhot", "build", *make_benchmark.split()], check=True, capture_output=True)
    with service(base) as node:
        yield {
            "http://node1:8000": node.url,
            "http://node2:8000": node.url,
            **_files(folder, base, new, passages, questions, model),
        }


def _files(folder: Path, base: Path, new: Path, passages: Path, questions: Path, model: Path) -> dict[str, str]:
    return {
        "BASE": str(base),
        "NEW.jsonl": str(new),
        "THEIRS": str(folder / "theirs"),
        "DENSE": str(folder / "dense"),
        "e5_Flat.index": str(folder / "dense" / "vectors.faiss"),  # the build before has made it
        "wiki-18.jsonl.gz": str(passages),
        "intfloat/e5-base-v2": "minilm",
        "QUESTIONS.jsonl": str(questions),
        "LINES.jsonl": str(folder / "lines.jsonl"),
        "ROWS.parquet": str(folder / "rows.parquet"),
        "train.jsonl": str(questions),
        "dev.jsonl": str(questions),
        "QA_FOLDER": str(folder),
        "PASSAGES.jsonl.gz": str(passages),
        "wiki18.jsonl.gz": str(passages),
        "CHECKPOINT": str(model),
        "EPISODES": str(_episodes(folder)),
        "wiki18-index": str(folder / "wiki18-index"),
        "corpus.index=INDEX": f"corpus.index={base}",
        "INDEX": str(folder / "index"),
        "FOLDER": str(folder / "world"),
        "ORACLE": str(folder / "reranker"),
        "SEEDS.jsonl": str(folder / "seeds.jsonl"),
        "REAL.jsonl.gz": str(folder / "real.jsonl.gz"),
        "REALINDEX": str(folder / "real"),
        "BENCHMARK": str(folder / "benchmark"),
        "WORLD": str(folder / "world"),
        "UNIVERSE": str(folder / "universe"),
        "PROBE": str(folder / "probe"),
    }


def _episodes(folder: Path) -> Path:
    """A folder with a file of episodes."""
    episodes = folder / "episodes" / "test.jsonl"
    episodes.parent.mkdir()
    episodes.write_text(wander(0).model_dump_json() + "\n")
    return episodes.parent


def filled(command: str, inputs: dict[str, str]) -> list[str]:
    words = shlex.split(command)
    for placeholder, value in inputs.items():
        words = [re.sub(rf"(?<![\w./-]){re.escape(placeholder)}(?![\w-])", value, word) for word in words]
    files = {"corpus.path": "PASSAGES.jsonl.gz", "questions.train": "train.jsonl", "questions.validation": "dev.jsonl"}
    return [f"{word[:-3]}{inputs[files[word[:-4]]]}" if word.endswith("=...") else word for word in words]


def ran(words: list[str], cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """A `reseek ...` or `python ...` command of a page, run to its end."""
    return subprocess.run(
        [PROGRAM if words[0] == "reseek" else sys.executable, *words[1:]],
        capture_output=True,
        text=True,
        timeout=300,
        cwd=cwd,
        env=os.environ | {"PYTHONPATH": str(ROOT)} | environment,
    )


def of_kind(start: str | tuple[str, ...]) -> list[str]:
    return [command for command in commands() if command.startswith(start)]


def check(config_name: str, overrides: list[str]) -> None:
    register_config()
    with initialize_config_dir(str(CONF), version_base=None):
        config = compose(config_name, overrides=overrides)
    if config_name == "train":
        if config.stage == "sft":
            from reseek.sft.launch import train
        else:
            from reseek.training.launch import train

        train(config)
    else:
        from reseek.evaluation.launch import evaluate

        evaluate(config)


def test_no_page_is_without_its_commands():
    words = ("reseek train", "reseek eval", "reseek sft", "reseek corpus", "reseek fictionalhot")
    kinds = (*words, "make ", "pip ", BREAK)
    assert all(of_kind(kind) for kind in kinds)
    # tests/benchmarks run the benchmarks as they are written in docs/benchmarks.md.
    known = (*kinds, "reseek ", "python -m benchmarks.")
    strangers = [command for command in commands() if not command.startswith(known)]
    assert strangers == []


@pytest.mark.parametrize("command", of_kind(("reseek train", "reseek sft", "reseek eval")))
def test_train_and_eval_commands_pass_their_checks(command, inputs, tmp_path, shared_cache):
    words = filled(command, inputs)
    if "-m" in words:  # a sweep: its first job
        words = [word.partition(",")[0] for word in words if word != "-m"]
    if words[1] == "sft":
        words.append("stage=sft")
    overrides = [*words[2:], "run.check_only=true", f"run.cache={shared_cache}", f"run.dir={tmp_path / 'run'}"]
    if "qwen2.5" in command:  # its model is on a hub
        overrides.append(f"policy.path={inputs['CHECKPOINT']}")
    check("eval" if words[1] == "eval" else "train", overrides)
    assert not (tmp_path / "run").exists()


def test_the_service_answers(inputs):
    (command,) = of_kind(SERVE)
    port = free_port()
    words = filled(command, {"INDEX": inputs["BASE"], "8000": str(port)})
    with subprocess.Popen([PROGRAM, *words[1:]], stdout=subprocess.PIPE, text=True) as running:
        try:
            assert str(port) in running.stdout.readline()
        finally:
            running.terminate()
        assert running.wait(60) == 0


@pytest.mark.parametrize(
    "command",
    [one for one in of_kind(IN_A_FOLDER) if one not in of_kind(SERVE)],
)
def test_other_commands_run(command, inputs, tmp_path):
    words = filled(command, {**inputs, "wiki18-index": str(tmp_path / "index")})  # a train command has made the other
    run = ran(words, tmp_path)
    assert run.returncode == 0, run.stdout + run.stderr


def test_the_commands_on_oracles_run_one_after_the_other(shared_cache, tmp_path):
    """They make and use a model and a card: with a moment of training, and few questions."""
    world = ensure_world(shared_cache / "world-0", 0)
    files = {"train.jsonl": world.questions(Split.TRAIN), "test.jsonl": world.questions(Split.TEST)}
    placeholders = {**files, "INDEX": world.passages, "JUDGED.jsonl": "judged.jsonl", "ORACLE": "oracle"}
    judged = {"question": "Who?", "golden_answers": ["Ada"], "observation": "Ada did.", "good": True}
    lines = [judged, judged | {"observation": "Nobody did.", "good": False}]
    (tmp_path / "judged.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    less = {
        "finetune-oracle": ["--minutes", "0.05", "--most-questions", "40", "--dev-questions", "5"],
        "calibrate": ["--limit", "10"],
    }
    for command in of_kind(ORACLES):
        words = filled(command, {name: str(value) for name, value in placeholders.items()})
        words += less[words[1]]
        run = ran(words, tmp_path)
        assert run.returncode == 0, command + run.stdout + run.stderr


RESULTS = tuple(f"reseek {name}" for name in ("report", "view", "example", "ablate", "counterfactual", "llm-judge"))


def test_the_commands_on_results_run_one_after_the_other(inputs, shared_cache, tmp_path):
    """On an evaluation of two questions by a model that copies; the LLM judge asks a local endpoint."""
    model = save_copying_model(tmp_path / "model")
    less = ["agent.prompt_tokens=128", "evaluation.engine=transformers", "evaluation.limit=2"]
    first = ["reseek", "ablate", "policy=path", f"policy.path={model}", "--turns", "1,2"]
    placeholders = {"RUN": "runs/ablate/reseek-search-1", "OTHER": "runs/ablate/reseek-search-2", "FOLDER": "example"}
    with Endpoint(lambda _: (200, '{"correct": true}')) as endpoint:
        placeholders |= {"CHECKPOINT": str(model), "http://127.0.0.1:8000/v1": endpoint.url}
        for words in [first, *(filled(command, placeholders) for command in of_kind(RESULTS))]:
            words += less if "ablate" in words else []
            run = ran(words, tmp_path, RESEEK_CACHE=str(shared_cache))
            assert run.returncode == 0, " ".join(words) + run.stdout + run.stderr
    assert (tmp_path / "example" / "viewer.html").is_file()


def test_the_commands_that_make_the_micro_model_run_one_after_the_other(shared_cache, tmp_path):
    world = ensure_world(shared_cache / "world-0", 0)
    for command in of_kind(WARMUP):
        words = [*filled(command, {"WORLD": str(world.folder)}), "--steps", "2"]
        run = ran(words, tmp_path)
        assert run.returncode == 0, command + run.stdout + run.stderr
    assert (tmp_path / "LAZY" / "model.safetensors").is_file()


OF_A_RUN = of_kind(("reseek export", "reseek curve"))
"""See test_training.py, which has a run."""


def test_every_command_of_the_program_is_executed_by_a_test_here():
    checked = ("reseek train", "reseek sft", "reseek eval", ORACLES, WARMUP, *RESULTS, *IN_A_FOLDER, *OF_A_RUN)
    flat = tuple(part for one in checked for part in ((one,) if isinstance(one, str) else one))
    # `reseek demo` is what test_training runs in its parts; help pages are tested with the program.
    strangers = [one for one in of_kind("reseek ") if not one.startswith(flat)]
    assert [one for one in strangers if one != "reseek demo" and not one.endswith("--help")] == []
