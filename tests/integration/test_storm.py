"""A storm of kills: a training run, its agent loop, engine, trainer worker and raylet are killed at random moments, and
what is resumed again and again is the unbroken run. `make test-long STORM=12`.

Each storm continues where the last one was stopped (`.cache/storm`) and adds its kills to the table of
docs/reliability.md. Chains of at most `STEPS` steps: a run is killed and resumed until it is done, then compared.
"""

import json
import os
import random
import re
import shutil
from dataclasses import asdict
from pathlib import Path

import pytest

from corpora.atomic import append_line, write_text
from tests.support.leftovers import left_behind, shared_memory
from tests.support.runs import ROOT, Run, finished, train
from tests.support.storm import Blow, Victim, compare, strike

pytestmark = [pytest.mark.integration, pytest.mark.long]

STEPS = 6
SEEN_WITHIN_S = 60.0  # with the clean-up, on a busy machine; the death itself is seen within seconds
LOG_BYTES = 2_000_000
FOLDER = ROOT / ".cache" / "storm"
TABLE = ROOT / "docs" / "reliability.md"
OVERRIDES = (f"algo.steps={STEPS}",)


def wanted(commands: int) -> dict[Victim, int]:
    """Kills by victim: a third as many of each part, at least one."""
    return {victim: commands if victim is Victim.COMMAND else max(1, commands // 3) for victim in Victim}


def counted(text: str) -> dict[Victim, int]:
    """The kills in the table of the docs."""
    found = {victim: re.search(rf"^\| {re.escape(victim.value)} \| (\d+) \|", text, re.M) for victim in Victim}
    return {victim: int(match[1]) if match else 0 for victim, match in found.items()}


def add_to_table(blows: list[Blow]) -> None:
    text = TABLE.read_text(encoding="utf-8")
    for victim, before in counted(text).items():
        now = before + sum(blow.victim == victim.value for blow in blows)
        text = re.sub(rf"^(\| {re.escape(victim.value)} \| )\d+( \|)", rf"\g<1>{now}\g<2>", text, flags=re.M)
    write_text(TABLE, text)


def blows_of(path: Path) -> list[Blow]:
    return [Blow(**json.loads(line)) for line in path.read_text().splitlines()] if path.is_file() else []


def test_a_run_under_kills_is_the_unbroken_run():
    cache = FOLDER / "cache"
    FOLDER.mkdir(parents=True, exist_ok=True)
    unbroken = FOLDER / "unbroken"
    if not (unbroken / "result.json").is_file():
        finished(unbroken, train(unbroken, cache, *OVERRIDES))
    left = wanted(int(os.environ.get("RESEEK_STORM", "12")))
    began = len(sorted(FOLDER.glob("chain-*.jsonl")))
    open_chains = [path for path in FOLDER.glob("chain-*.jsonl") if not path.with_suffix(".done").exists()]
    chain = int(open_chains[0].stem.removeprefix("chain-")) if open_chains else began
    while sum(left.values()):
        path = FOLDER / f"chain-{chain}.jsonl"
        one_chain(path, unbroken, cache, left)
        chain += 1


def one_chain(path: Path, unbroken: Path, cache: Path, left: dict[Victim, int]) -> None:
    """Strike one run until it is done or nobody is left to kill; finish it, compare it, count it."""
    folder, before = path.with_suffix(""), shared_memory()
    for blow in blows_of(path):  # of a storm that was stopped
        left[Victim(blow.victim)] -= min(1, left[Victim(blow.victim)])
    while sum(left.values()):
        draw = random.Random(f"{path.stem} {len(blows_of(path))}")
        victim = draw.choices(list(left), weights=list(left.values()))[0]
        blow = strike(folder, cache, OVERRIDES, victim, draw, STEPS)
        if blow is None:  # the run was done first
            break
        append_line(path, json.dumps(asdict(blow)))
        left[victim] -= 1
        if victim is not Victim.COMMAND:
            assert blow.code == 1 and blow.last_line and victim.value in blow.last_line, blow
            assert blow.last_line.startswith("error: the run failed in phase '"), blow
            assert blow.seconds <= SEEN_WITHIN_S and blow.log_bytes <= LOG_BYTES, blow
            assert left_behind(before) == (set(), []), blow
    run = finished(folder, train(folder, cache, *OVERRIDES))
    assert [record["step"] for record in run.metrics if record["phase"] == "step"] == list(range(1, STEPS + 1))
    compared = [compare(run, Run(unbroken, ""), step) for step in range(1, STEPS + 1)]
    assert all(step.is_equal for step in compared), compared
    assert left_behind(before) == (set(), [])
    add_to_table(blows_of(path))
    path.with_suffix(".done").touch()
    shutil.rmtree(folder)
