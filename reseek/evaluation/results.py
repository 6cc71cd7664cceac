"""An evaluation's folder, read back and checked: conditions, episodes, and what was found out about them later.

Invariant: nothing is guessed: a folder without conditions or episodes is refused, and so are records of other
conditions than its own. Every episode in the folder counts, whatever limit the last command had.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException
from yaml import YAMLError

from corpora.manifest_file import read_object, read_record
from reseek.config.agent import ContextPolicy, context_name
from reseek.config.questions import KNOWN_SETS
from reseek.errors import InputError, one_line
from reseek.evaluation.conditions import FILE, Conditions
from reseek.evaluation.counterfactual_records import Flips, count_flips, flips_file, read_flips
from reseek.evaluation.impact import Step, judged_steps
from reseek.evaluation.judged import JudgedAnswers, read_judged
from reseek.evaluation.report import Report
from reseek.evaluation.unanswerable import read_unanswerable
from reseek.questions.provenance import SetManifest, read_manifests
from reseek.registry import METHODS
from reseek.rollout.environment import RECALL_DEPTH
from reseek.rollout.records import EpisodeRecord, read_set
from reseek.run.checkpoint_layout import run_and_step


@dataclass(frozen=True)
class Evaluation:
    """A finished or unfinished evaluation. `config` and `versions` as they were written; {} where they are missing.
    `questions`: where each set's questions came from, where that was written."""

    folder: Path
    name: str
    conditions: Conditions
    records: Mapping[str, Sequence[EpisodeRecord]]
    config: Mapping[str, Any]
    versions: Mapping[str, Any]
    unanswerable: Mapping[str, Sequence[str]] | None = None
    flips: Mapping[str, Flips] = field(default_factory=dict)
    judged: JudgedAnswers | None = None
    questions: Mapping[str, SetManifest] = field(default_factory=dict)

    @cached_property
    def report(self) -> Report:
        return Report.of(self.records, self.conditions.agent.top_k, self.conditions.seed, self.unanswerable)

    @cached_property
    def steps(self) -> dict[str, list[Step]]:
        """By set, the judged steps."""
        return {name: list(judged_steps(records)) for name, records in self.records.items()}

    @property
    def policy(self) -> str:
        """The policy's own name: of its folder, without the way there (but with the step, for a training run's
        checkpoint), or the hub id."""
        path = Path(self.conditions.policy)
        if not path.is_absolute():
            return self.conditions.policy
        found = run_and_step(path)
        return path.name if found is None else f"{found[0]}, step {found[1]}"

    @property
    def method(self) -> str:
        """What is done with the policy."""
        agent = self.conditions.agent
        judges = not METHODS.is_path(agent.method) and METHODS.find(agent.method).judges()  # a user's isn't imported
        shows = judges or agent.context is not ContextPolicy.KEEP
        return f"{agent.method} ({context_name(agent.context)})" if shows else agent.method

    @property
    def budget(self) -> str:
        """T and its unit."""
        return f"T = {self.conditions.agent.max_turns} ({self.conditions.agent.turn_unit.value})"


def read_evaluation(folder: str | Path) -> Evaluation:
    """The evaluation of a folder. Raises InputError naming file and line."""
    folder = Path(folder)
    path = folder / FILE
    if not path.is_file():
        raise InputError(f"{folder}: holds no {FILE}: not an evaluation's folder (reseek eval run.dir=...)")
    conditions = read_record(path, Conditions, "an evaluation's conditions")
    config = read_yaml(folder / "config.yaml")
    records = {}
    for file in sorted((folder / "episodes").glob("*.jsonl"), key=lambda one: _place(one.stem)):
        records[file.stem] = _latest(file, conditions)
    if not any(records.values()):
        raise InputError(f"{folder}: holds no episode yet")
    flips = {name: flips_file(folder, name) for name in records}
    return Evaluation(
        folder,
        run_name(folder, config),
        conditions,
        records,
        config,
        read_json(folder / "versions.json"),
        read_unanswerable(folder),
        {name: count_flips(read_flips(file)) for name, file in flips.items() if file.is_file()},
        read_judged(folder),
        {manifest.name: manifest for manifest in read_manifests(folder)},
    )


def run_name(folder: Path, config: Mapping[str, Any]) -> str:
    """The run's own name where it was given one, else its folder's."""
    run = config.get("run")
    name = run.get("name") if isinstance(run, Mapping) else None
    return str(name) if name and name not in ("eval", "train") else folder.resolve().name


def read_yaml(path: Path) -> Mapping[str, Any]:
    """The file's configuration; empty without the file. Raises InputError."""
    if not path.is_file():
        return {}
    try:
        found = OmegaConf.to_container(OmegaConf.load(path))
    except (OmegaConfBaseException, YAMLError, OSError, ValueError, RecursionError) as error:  # ValueError: not text
        raise InputError(f"{path}: is not a configuration ({one_line(str(error))})") from None
    return {str(key): value for key, value in found.items()} if isinstance(found, dict) else {}


def read_json(path: Path) -> Mapping[str, Any]:
    """The file's JSON object; empty without the file. Raises InputError."""
    return read_object(path) if path.is_file() else {}


def _latest(path: Path, conditions: Conditions) -> list[EpisodeRecord]:
    """The newest record of each question (a FAILED one may have been asked again), in the order of first asking."""
    newest: dict[str, EpisodeRecord] = {}
    wanted, depth = conditions.hash, max(conditions.agent.top_k, RECALL_DEPTH)
    for number, record in enumerate(read_set(path), start=1):
        if record.answer_depth < depth:
            raise InputError(f"{path}:{number}: is no evaluation's record (answer_depth is {record.answer_depth})")
        if record.conditions != wanted:
            raise InputError(f"{path}:{number}: holds results of other conditions than {path.parent.parent / FILE}")
        newest[record.id] = record
    return list(newest.values())


def _place(name: str) -> tuple[int, str]:
    """Known sets in the field's order, then others by name."""
    return (KNOWN_SETS.index(name), name) if name in KNOWN_SETS else (len(KNOWN_SETS), name)
