"""`reseek demo`: train and evaluate the embedded agent with the commands that a user types.

Trains the embedded model in the embedded world, evaluates it on held-out questions before and after, prints a table.
Invariant: every number in the table is read from a `result.json` that `reseek eval` wrote.
"""

import json
import os
import subprocess
import sys
import time
from datetime import datetime
from pathlib import Path

import typer
from rich.console import Console
from rich.table import Table

from reseek.run.interrupts import INTERRUPTED, PART_VARIABLE, at_once, resume_with, resumed_by
from reseek.run.terminal import override, undisturbed

# A terminal sends Ctrl-C to the part as well, `kill` does not.
_HEARD_S = 2.0
_ROWS = (
    ("exact match", "em", "{:.3f}"),
    ("judge accuracy", "judge_accuracy", "{:.3f}"),
    ("questions answered", "answered_rate", "{:.3f}"),
    ("searches per question", "searches", "{:.2f}"),
    ("observations dropped", "drop_rate", "{:.2f}"),
    ("legal actions", "legal_rate", "{:.3f}"),
)


def main(
    questions: int = typer.Option(200, help="number of held-out questions asked before and after"),
    steps: int = typer.Option(16, help="GRPO steps"),
    folder: Path = typer.Option(None, help="folder of the run's files; default: runs/demo/<time>"),  # noqa: B008
) -> None:
    """Train, evaluate and compare the embedded search agent on this machine."""
    console = Console()
    words = ["reseek", "demo", "--questions", f"{questions}", "--steps", f"{steps}"]
    folder = (folder or Path("runs") / "demo" / datetime.now().strftime("%Y-%m-%d_%H-%M-%S_%f")).resolve()
    resumed_by(lambda: resume_with([*words, "--folder", str(folder)]))
    started = time.monotonic()
    console.rule("1/3  train: GRPO of the embedded model (the first run also makes its world and index)")
    _reseek("train", f"algo.steps={steps}", f"algo.save_every={steps}", override("run.dir", folder / "train"))
    card = json.loads((folder / "train" / "result.json").read_text(encoding="utf-8"))
    results = {}
    for number, (name, model) in enumerate(
        {"before": [], "after": ["policy=path", override("policy.path", card["checkpoint"])]}.items(), start=2
    ):
        console.rule(f"{number}/3  evaluate the model {name} training, on questions whose names it never saw")
        _reseek("eval", *model, f"evaluation.limit={questions}", override("run.dir", folder / name))
        results[name] = json.loads((folder / name / "result.json").read_text(encoding="utf-8"))["sets"]["test"]
    console.print(_table(results, steps))
    console.print(f"{(time.monotonic() - started) / 60:.1f} minutes in all. Files: {folder}", soft_wrap=True)


def _reseek(command: str, *overrides: str) -> None:
    """Run a command of the program in view of the user; end the demo with its exit code if it fails."""
    part = subprocess.Popen(
        [sys.executable, "-m", "reseek", command, *overrides], env={**os.environ, PART_VARIABLE: "demo"}
    )
    with at_once(part.terminate):
        code = _ended(part)
    if code == INTERRUPTED:
        raise KeyboardInterrupt
    if code:
        print(f"error: reseek {command} ended with exit code {code}", file=sys.stderr)
        raise typer.Exit(code)


def _ended(part: subprocess.Popen[bytes]) -> int:
    """Wait for the part, on Ctrl-C too: it cleans up. (subprocess.run would kill it.)"""
    try:
        return part.wait()
    except KeyboardInterrupt:
        with undisturbed():
            try:
                part.wait(_HEARD_S)
            except subprocess.TimeoutExpired:
                part.terminate()
            part.wait()
        raise


def _table(results: dict[str, dict], steps: int) -> Table:
    title = f"{results['after']['questions']} held-out questions, greedy, before and after {steps} GRPO steps"
    table = Table(title=title)
    for header in ("", "before", "after"):
        table.add_column(header, justify="left" if not header else "right")
    for label, key, form in _ROWS:
        table.add_row(label, *(_cell(results[name], key, form) for name in ("before", "after")))
    return table


def _cell(result: dict, key: str, form: str) -> str:
    value = result.get(key)
    if value is None:
        return "-"
    if key != "em":
        return form.format(value)
    interval = result["em_interval"]
    return f"{form.format(value)} [{interval['low']:.3f}, {interval['high']:.3f}]"
