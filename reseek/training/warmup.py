"""The micro model's warm-up: imitate scripted episodes of the training split, careful ones first, careless ones last.

`python -m reseek.training.warmup --out DIR --world DIR` does it once; `ensure_micro` does it for a cache. The warm-up
is short on purpose: the model must speak the language and sometimes be right, what it then becomes is reinforcement's
work. Invariant: the budget is a number of steps, so seed, world and settings determine the checkpoint on one kind of
machine; a folder under the checkpoint's name is complete, its manifest written last.

Knows nothing of reinforcement, verl or how the checkpoint is served.
"""

import asyncio
import hashlib
import json
import os
import random
import shutil
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from time import monotonic
from typing import Annotated

import torch
import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from torch.nn import functional

from corpora.index import ensure_index
from fictionalhot.names import Split
from fictionalhot.world import WorldFiles, open_world
from reseek.errors import InputError, SearchFailed
from reseek.policy.micro import make_model, make_tokenizer
from reseek.questions import read_questions
from reseek.search.lucene import LuceneSearch
from reseek.training.demonstrations import Renamer, Row, demonstrate
from reseek.training.held_out import HeldOut, look

RECIPE = 3  # raise it when code here, in demonstrations, scripted or micro changes what a checkpoint becomes
MANIFEST = "reseek-model.json"
# The careful expert's: wrong passages have to come up, or No is never learnt.
_POOR_QUERIES, _LAZY_YESES = 0.4, 0.05
_REPORT_EVERY = 100  # steps between lines where no bar can be drawn
_LOOKED_AT = 100  # validation questions played, greedily and sampled, for the manifest
_BUCKET = 8  # batches are cut from this many batches' worth of rows, sorted by length: little padding


@dataclass(frozen=True)
class WarmupSettings:
    """What decides a checkpoint, beside the world. `steps` 0: random weights, no demonstrations."""

    seed: int = 0
    steps: int = 1000
    batch: int = 32
    episodes: int = 3000
    carelessness: float = 0.55
    """How often the expert of the last steps errs on purpose. Above one half the likeliest action is the lazy one: the
    checkpoint has learnt the careful way before, and reinforcement has something to find."""
    careless_share: float = 0.25
    """The share of the steps, and of the episodes, that are careless: enough to take on the habit."""
    learning_rate: float = 2e-3
    threads: int = 2
    """torch threads while training: their number changes the last bits, so it is part of the recipe."""
    other_weight: float = 0.1
    """Weight of the loss on tokens that the expert did not say (question, passages): a little language modelling
    teaches what passages look like. 0 trains on the expert's words alone."""


def ensure_micro(cache_dir: str | Path, world: WorldFiles, seed: int = 0, steps: int | None = None) -> Path:
    """The warmed-up checkpoint of this world, seed and step count under `cache_dir`, made now if it is not there."""
    settings = WarmupSettings(seed=seed)
    if steps is not None:  # a short warm-up needs no more episodes than it can look at
        settings = WarmupSettings(seed=seed, steps=steps, episodes=min(settings.episodes, 3 * steps))
    key = json.dumps([RECIPE, world.manifest.hash, asdict(settings)], sort_keys=True)
    folder = Path(cache_dir) / f"micro-{hashlib.sha256(key.encode()).hexdigest()[:12]}"
    if (folder / MANIFEST).is_file():
        return folder
    return warm_up(folder, world, settings, index_dir=Path(cache_dir) / "indexes" / f"world-{world.manifest.hash[:12]}")


def warm_up(out: str | Path, world: WorldFiles, settings: WarmupSettings, *, index_dir: str | Path) -> Path:
    """Train and write the checkpoint folder `out`, which must not exist yet. Raises InputError, SearchFailed."""
    out = Path(out)
    if out.exists():
        raise InputError(f"{out}: exists already; delete it or name another folder")
    started = monotonic()
    tokenizer = make_tokenizer()
    model = make_model(settings.seed, len(tokenizer))
    losses: list[float] = []
    looks: list[HeldOut] = []
    if settings.steps:
        ensure_index(world.passages, index_dir)
        search = LuceneSearch(index_dir)
        threads = torch.get_num_threads()
        torch.set_num_threads(settings.threads)
        try:
            losses = train(model, tokenizer, *asyncio.run(_rows(world, settings, tokenizer, search)), settings)
            questions = read_questions(world.questions(Split.VALIDATION), _LOOKED_AT)
            looks = [asyncio.run(look(model, tokenizer, questions, search, temperature=t)) for t in (0.0, 1.0)]
        finally:
            torch.set_num_threads(threads)
            search.close()
    manifest = {
        "recipe": RECIPE,
        "settings": asdict(settings),
        "world": world.manifest.hash,
        "versions": {"torch": torch.__version__},
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "final_loss": round(sum(losses[-20:]) / len(losses[-20:]), 4) if losses else None,
        "validation": [asdict(seen) for seen in looks],
        "seconds": round(monotonic() - started, 1),
    }
    _write(out, model, tokenizer, manifest)
    return out


def train(
    model, tokenizer, careful: Sequence[Row], careless: Sequence[Row], settings: WarmupSettings, *, show: bool = True
) -> list[float]:
    """Train in place for `settings.steps` steps; the loss on the expert's tokens at each step."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=settings.learning_rate, betas=(0.9, 0.98), weight_decay=0.01)
    school, habit = (_batches(rows, tokenizer, settings) for rows in (careful, careless))
    school_steps = round(settings.steps * (1 - settings.careless_share))
    losses: list[float] = []
    model.train()
    with _progress(show) as progress:
        task = progress.add_task("warm-up", total=settings.steps, loss=float("nan"))
        for step in range(settings.steps):
            for group in optimizer.param_groups:
                group["lr"] = settings.learning_rate * _schedule(step, settings.steps)
            ids_BT, mask_BT, real_BT = next(school if step < school_steps else habit)
            expert, other = losses_of(model, ids_BT, mask_BT, real_BT)
            optimizer.zero_grad()
            (expert + settings.other_weight * other).backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            losses.append(float(expert.detach()))
            recent = sum(losses[-20:]) / len(losses[-20:])
            progress.update(task, advance=1, loss=recent)
            if not progress.console.is_terminal and not progress.disable and (step + 1) % _REPORT_EVERY == 0:
                progress.console.print(f"warm-up {step + 1}/{settings.steps} loss {recent:.3f}")
    model.eval()
    return losses


def losses_of(
    model, ids_BT: torch.Tensor, mask_BT: torch.Tensor, real_BT: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Mean cross-entropy on the expert's tokens, and on all others that are not padding."""
    hidden_BTH = model.model(input_ids=ids_BT[:, :-1], use_cache=False).last_hidden_state
    real_BT, expert_BT = real_BT[:, 1:].bool(), mask_BT[:, 1:].bool()
    logits_NV = model.lm_head(hidden_BTH[real_BT])
    loss_N = functional.cross_entropy(logits_NV, ids_BT[:, 1:][real_BT], reduction="none")
    expert_N = expert_BT[real_BT]
    return loss_N[expert_N].mean(), loss_N[~expert_N].mean()


def collate(rows: Sequence[Row], pad: int) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Rows padded on the right: ids, 1 where the expert spoke, 1 where a token stands."""
    longest = max(len(row.ids) for row in rows)
    ids_BT = torch.tensor([[*row.ids, *[pad] * (longest - len(row.ids))] for row in rows])
    mask_BT = torch.tensor([[*row.mask, *[0] * (longest - len(row.ids))] for row in rows])
    real_BT = torch.tensor([[1] * len(row.ids) + [0] * (longest - len(row.ids)) for row in rows])
    return ids_BT, mask_BT, real_BT


async def _rows(
    world: WorldFiles, settings: WarmupSettings, tokenizer, search: LuceneSearch
) -> tuple[list[Row], list[Row]]:
    """Careful and careless demonstrations, of different questions."""
    questions = read_questions(world.questions(Split.TRAIN))
    random.Random(f"warm-up {settings.seed}").shuffle(questions)
    questions = questions[: settings.episodes]
    cut = round(len(questions) * (1 - settings.careless_share))
    careful = await demonstrate(
        questions[:cut],
        tokenizer=tokenizer,
        search=search,
        carelessness=_POOR_QUERIES,
        laziness=_LAZY_YESES,
        seed=settings.seed,
    )
    careless = await demonstrate(
        questions[cut:],
        tokenizer=tokenizer,
        search=search,
        carelessness=settings.carelessness,
        laziness=settings.carelessness,
        seed=settings.seed,
    )
    return careful, careless


def _batches(
    rows: Sequence[Row], tokenizer, settings: WarmupSettings
) -> Iterator[tuple[torch.Tensor, torch.Tensor, torch.Tensor]]:
    """Renamed batches without end: shuffled, near-equal lengths together."""
    rng = random.Random(f"batches {settings.seed}")
    rename = Renamer(tokenizer, settings.seed)
    pool: list[Row] = []
    while True:
        while len(pool) < _BUCKET * settings.batch:
            pool += rng.sample(rows, len(rows))
        cut = _BUCKET * settings.batch
        bucket, pool = sorted(pool[:cut], key=lambda row: len(row.ids)), pool[cut:]
        starts = list(range(0, len(bucket), settings.batch))
        rng.shuffle(starts)
        for start in starts:
            ids_BT, mask_BT, real_BT = collate(bucket[start : start + settings.batch], tokenizer.pad_token_id)
            yield rename(ids_BT), mask_BT, real_BT


def _schedule(step: int, steps: int) -> float:
    """Factor on the learning rate: a short rise, then linear to a twentieth."""
    return min(1.0, (step + 1) / 20) * max(0.05, 1 - step / steps)


def _progress(show: bool) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("loss {task.fields[loss]:.3f}"),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        disable=not show,
    )


def _write(out: Path, model, tokenizer, manifest: dict) -> None:
    out.parent.mkdir(parents=True, exist_ok=True)
    building = out.with_name(f".{out.name}.building-{uuid.uuid4().hex[:12]}")
    try:
        model.save_pretrained(building)
        tokenizer.save_pretrained(building)
        (building / MANIFEST).write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")
        os.replace(building, out)
    finally:
        shutil.rmtree(building, ignore_errors=True)  # gone by now where all went well


def main(
    out: Annotated[Path, typer.Option(help="the checkpoint folder to make; must not exist")],
    world: Annotated[Path, typer.Option(help="a folder made by `python -m fictionalhot world`")],
    seed: Annotated[int, typer.Option(help="decides weights, demonstrations and their order")] = 0,
    steps: Annotated[int, typer.Option(help="optimiser steps")] = WarmupSettings.steps,
    carelessness: Annotated[float, typer.Option(help="how often the expert is careless")] = WarmupSettings.carelessness,
    index: Annotated[Path | None, typer.Option(help="the world's index; default: OUT.index, made if absent")] = None,
    random_weights: Annotated[bool, typer.Option("--random", help="no warm-up at all: for tests")] = False,
    threads: Annotated[int, typer.Option(help="torch threads")] = WarmupSettings.threads,
) -> None:
    """Warm up the micro model on scripted episodes of a world's training split."""
    settings = WarmupSettings(
        seed=seed, steps=0 if random_weights else steps, carelessness=carelessness, threads=threads
    )
    try:
        folder = warm_up(out, open_world(world), settings, index_dir=index or out.with_name(out.name + ".index"))
    except (InputError, SearchFailed) as error:
        Console(stderr=True).print(f"warm-up: {error}", markup=False, soft_wrap=True)
        raise typer.Exit(2) from None
    print(f"{folder}: {(folder / MANIFEST).read_text()}")


if __name__ == "__main__":
    typer.run(main)
