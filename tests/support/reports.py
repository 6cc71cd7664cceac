"""Evaluations' folders for the tests of reports: real episodes of the tiny world, as `reseek eval` writes them."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from reseek.config.oracle import OracleConfig
from reseek.config.rewards import RewardConfig
from reseek.evaluation.conditions import Conditions, check_folder, write_conditions
from reseek.evaluation.results import Evaluation, read_evaluation
from reseek.questions.provenance import SetManifest, write_manifests
from reseek.questions.record import Question
from reseek.rollout.records import EpisodeRecord
from reseek.rollout.runner import run_sets
from reseek.run.folder import write_json, write_text
from tests.support.evaluations import environment, question

SETS = {
    "nq": [question(n, "France", "Paris") for n in range(3)] + [question(3, "Spain", "Madrid")],
    "hotpotqa": [question(0, "Italy", "Rome"), question(1, "France", "Lyon"), question(2, "broken", "Rome")],
}
# What a passage, an answer, a question or a name may hold.
HOSTILE = (
    "</script><script>window.hacked = 1</script><img src=x onerror='window.hacked = 2'>"
    "<svg onload=window.hacked=3> {{ 7 * 7 }} {% raw %} \\input{/etc/passwd} \\write18{id} $x^2$ %\n"
    "\x1b[31mred\x1b]0;title\x07 [bold red]x[/bold] [/x] =HYPERLINK(1) | a | ]]> --> <!-- \u2028 \u202e &lt;"
)


def conditions(policy: str = "tiny", temperature: float = 0.0, seed: int = 0, **agent) -> Conditions:
    return Conditions(
        policy=policy,
        weights=policy,
        chat_template=None,
        dtype="float32",
        engine="script",
        temperature=temperature,
        seed=seed,
        retriever="dict",
        noise=0.0,
        k1=None,
        b=None,
        encoder=None,
        corpus="c" * 64,
        passages=3,
        agent=environment(**agent).agent,
        oracle=OracleConfig(threshold=0.5),
        rewards=RewardConfig(),
    )


def make_run(
    folder: Path, sets: Mapping[str, Sequence[Question]] = SETS, speaker=None, policy: str = "tiny", **agent
) -> Evaluation:
    """Ask the sets and read the folder back."""
    under = conditions(policy, **agent)
    check_folder(folder, under)
    write_conditions(folder, under)
    asked = run_sets(sets, environment(speaker, under.hash, **agent), folder, 4)
    with ThreadPoolExecutor(1) as thread:  # the browser's tests have an event loop in theirs
        thread.submit(asyncio.run, asked).result()
    write_text(folder / "config.yaml", json.dumps({"run": {"name": folder.name}}))
    write_manifests(
        folder,
        [SetManifest(name=name, source="here", split="test", rows=len(sets[name]), sha256="5" * 64) for name in sets],
    )
    write_json(folder / "versions.json", {"seed": 0, "reseek": "0", "commit": "abc"})
    return read_evaluation(folder)


def by_set(records: Sequence[EpisodeRecord]) -> dict[str, list[EpisodeRecord]]:
    sets: dict[str, list[EpisodeRecord]] = {}
    for record in records:
        sets.setdefault(record.set, []).append(record)
    return sets


def many(records: Sequence[EpisodeRecord], count: int) -> list[EpisodeRecord]:
    """So many episodes, each question a little different."""
    made = []
    for number in range(count):
        one = records[number % len(records)]
        made.append(one.model_copy(update={"id": f"e{number}", "question": f"{one.question} (variant {number})"}))
    return made
