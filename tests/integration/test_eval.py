"""`reseek eval` on the real stack: vLLM and transformers, Lucene, the embedded world, a model with random weights.

The model searches, judges No and searches again without any training (tests/support/copying.py): the engines are
compared over contexts that were edited.
"""

import json
import os
from pathlib import Path

import psutil
import pytest

from reseek.agent.context import Append, Edit, Source, segments
from reseek.rollout.records import EpisodeRecord, read_records
from reseek.run.claim_file import FILE
from reseek.run.machine import this_machine
from tests.support import copying
from tests.support.claims import alive_claim, write_claim
from tests.support.leftovers import WORKER

pytestmark = pytest.mark.integration

QUESTIONS = 6


def evaluate(folder: Path, cache: Path, *overrides: str):
    return copying.evaluate(folder, cache, f"evaluation.limit={QUESTIONS}", *overrides)


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory) -> Path:
    return copying.save_copying_model(tmp_path_factory.mktemp("model"))


@pytest.fixture(scope="module")
def runs(tmp_path_factory, shared_cache: Path, checkpoint: Path) -> dict[str, Path]:
    """The folder of one evaluation per engine."""
    base = tmp_path_factory.mktemp("eval")
    orphans = _orphans()
    for engine in ("vllm", "transformers"):
        done = evaluate(
            base / engine,
            shared_cache,
            "policy=path",
            f"policy.path={checkpoint}",
            "agent.prompt_tokens=128",
            f"evaluation.engine={engine}",
        )
        assert done.returncode == 0, done.stderr + done.stdout
        assert "recall@3" in done.stdout and "…" not in done.stdout
        if engine == "vllm":
            assert _left_by(base, shared_cache) == []
            assert _orphans() <= orphans
    return {engine: base / engine for engine in ("vllm", "transformers")}


def _orphans() -> set[str]:
    """Blocks in /dev/shm that no living process maps: not a neighbour's at work."""
    names = {entry.name for entry in Path("/dev/shm").iterdir() if not entry.name.startswith("sem.")}
    for process in psutil.process_iter():
        try:
            names -= {Path(m.path).name for m in process.memory_maps()}
        except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
            continue
    return names


def _left_by(folder: Path, cache: Path) -> list[str]:
    """Living processes whose command line names the folder, or whose environment the cache (and this xdist worker)."""
    of_worker = {"RESEEK_CACHE": str(cache), WORKER: os.environ.get(WORKER)}
    found = []
    for process in psutil.process_iter():
        try:
            if process.pid != os.getpid() and any(str(folder) in part for part in process.cmdline()):
                found.append(" ".join(process.cmdline())[:100])
            elif {name: process.environ().get(name) for name in of_worker} == of_worker:
                found.append(process.name())
        except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
            continue
    return found


def records(folder: Path) -> dict[str, EpisodeRecord]:
    return {record.id: record for record in read_records(folder / "episodes" / "test.jsonl")}


def test_results(runs: dict[str, Path]) -> None:
    result = json.loads((runs["vllm"] / "result.json").read_text())
    of_set = result["sets"]["test"]
    assert of_set["questions"] == QUESTIONS and of_set["failed"] == 0
    assert 0 <= of_set["em"] <= 1 and 0 <= of_set["recall"] <= of_set["recall_at_3"] <= 1
    assert of_set["em_interval"]["low"] <= of_set["em"] <= of_set["em_interval"]["high"]
    assert of_set["searches"] > 0 and of_set["drop_rate"] > 0
    conditions = result["conditions"]
    assert conditions["engine"] == "vllm" and conditions["passages"] > 1000 and len(conditions["corpus"]) == 64
    assert "reseek" in result["versions"] and "| test | 6 |" in (runs["vllm"] / "result.md").read_text()
    assert (runs["vllm"] / "eval.log").stat().st_size > 0


def test_records_hold_every_sampled_token(runs: dict[str, Path]) -> None:
    found = records(runs["vllm"])
    assert len(found) == QUESTIONS
    for record in found.values():
        sampled = [e for e in record.trajectory.events if isinstance(e, Append) and e.source is Source.POLICY]
        assert all(e.logprobs is not None and max(e.logprobs) <= 0 for e in sampled)
        assert sum(len(e.ids) for e in sampled) == record.stats.sampled_tokens == record.calls[-1].end
        assert len(segments(record.trajectory)) == record.stats.segments
    assert any(isinstance(event, Edit) for record in found.values() for event in record.trajectory.events)


def test_engines_agree_token_by_token(runs: dict[str, Path]) -> None:
    ours, theirs = records(runs["vllm"]), records(runs["transformers"])
    assert ours.keys() == theirs.keys()
    for key, record in ours.items():
        for place, (a, b) in enumerate(zip(record.events, theirs[key].events, strict=False)):
            if isinstance(a, type(b)) and a.ids == b.ids:
                if a.kind == "append" and a.logprobs is not None:
                    assert a.logprobs == pytest.approx(b.logprobs, abs=1e-3)
                continue
            pytest.fail(f"{key}: the first difference is event {place}: vLLM {a}, transformers {b}")
        assert len(record.events) == len(theirs[key].events)
        assert record.stop is theirs[key].stop and record.observations == theirs[key].observations


def test_asking_again_asks_nothing_and_other_conditions_are_refused(runs, checkpoint: Path, shared_cache: Path) -> None:
    folder = runs["transformers"]
    before = (folder / "episodes" / "test.jsonl").read_bytes()
    same = ("policy=path", f"policy.path={checkpoint}", "agent.prompt_tokens=128", "evaluation.engine=transformers")
    assert evaluate(folder, shared_cache, *same).returncode == 0
    assert (folder / "episodes" / "test.jsonl").read_bytes() == before
    other = evaluate(folder, shared_cache, *same, "run.seed=1")
    assert other.returncode == 2
    assert "seed was 0, is now 1" in other.stderr.splitlines()[-1]


def test_a_folder_is_refused_while_a_run_is_alive_in_it_or_may_be_elsewhere(runs, checkpoint, shared_cache) -> None:
    folder = runs["transformers"]
    same = ("policy=path", f"policy.path={checkpoint}", "agent.prompt_tokens=128", "evaluation.engine=transformers")
    before = {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    try:
        write_claim(folder, alive_claim())
        refused = evaluate(folder, shared_cache, *same, "run.take_over=true")
        assert refused.returncode == 2 and f"process {os.getpid()} is writing there" in refused.stderr
        elsewhere = alive_claim(machine=this_machine().model_copy(update={"host": "node-7"}))
        write_claim(folder, elsewhere)
        refused = evaluate(folder, shared_cache, *same)
        assert refused.returncode == 2 and "on host node-7" in refused.stderr
        assert (folder / FILE).read_text() == elsewhere.model_dump_json()
        assert {path: path.read_bytes() for path in before} == before
        taken = evaluate(folder, shared_cache, *same, "run.take_over=true")
        assert taken.returncode == 0 and not (folder / FILE).exists(), taken.stderr
    finally:
        (folder / FILE).unlink(missing_ok=True)
