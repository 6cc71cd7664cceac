"""Imitation: a small model trained on rows of demonstrations, where the expert spoke.

Invariant: the budget is a number of steps, so seed, rows, lesson and number of threads determine the weights on one
kind of machine. Each row is renamed whenever it is drawn (`demonstrations.Renamer`).
"""

import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from torch.nn import functional

from reseek.micro.demonstrations import Renamer
from reseek.rollout.training_row import Row

_REPORT_EVERY = 100  # steps between lines where no bar can be drawn
_BUCKET = 8  # batches are cut from this many batches' worth of rows, sorted by length: little padding


@dataclass(frozen=True)
class Lesson:
    """How long and how fast one kind of expert is imitated, and what the expert is like (reseek/micro/expert.py)."""

    name: str
    steps: int
    learning_rate: float
    carelessness: float
    """How often the expert's first query of a hop is poor."""
    laziness: float
    """How often the expert says Yes where No is right, and answers with whatever is at hand."""
    batch: int = 32
    rounds: int = 1
    """Episodes the expert plays of each training question, with other errors each time."""
    other_weight: float = 0.1
    """Weight of the loss on tokens that the expert did not say (question, passages): a little language modelling
    teaches what passages look like. 0 trains on the expert's words alone."""


def imitate(
    model, tokenizer, rows: Sequence[Row], lesson: Lesson, seed: int, *, show: bool = True
) -> list[float]:
    """Train in place for `lesson.steps` steps; the loss on the expert's tokens at each step."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=lesson.learning_rate, betas=(0.9, 0.98), weight_decay=0.01)
    batches = _batches(rows, tokenizer, lesson.batch, seed)
    losses: list[float] = []
    model.train()
    with _progress(show) as progress:
        task = progress.add_task(lesson.name, total=lesson.steps, loss=float("nan"))
        for step in range(lesson.steps):
            for group in optimizer.param_groups:
                group["lr"] = lesson.learning_rate * _schedule(step, lesson.steps)
            expert, other = losses_of(model, *next(batches))
            optimizer.zero_grad()
            (expert + lesson.other_weight * other).backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            losses.append(float(expert.detach()))
            recent = sum(losses[-20:]) / len(losses[-20:])
            progress.update(task, advance=1, loss=recent)
            if not progress.console.is_terminal and not progress.disable and (step + 1) % _REPORT_EVERY == 0:
                progress.console.print(f"{lesson.name} {step + 1}/{lesson.steps} loss {recent:.3f}")
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


def _batches(
    rows: Sequence[Row], tokenizer, size: int, seed: int
) -> Iterator[tuple[torch.Tensor, torch.Tensor, torch.Tensor]]:
    """Renamed batches without end: shuffled, near-equal lengths together."""
    rng = random.Random(f"batches {seed}")
    rename = Renamer(tokenizer, seed)
    pool: list[Row] = []
    while True:
        while len(pool) < _BUCKET * size:
            pool += rng.sample(rows, len(rows))
        bucket, pool = sorted(pool[: _BUCKET * size], key=lambda row: len(row.ids)), pool[_BUCKET * size :]
        starts = list(range(0, len(bucket), size))
        rng.shuffle(starts)
        for start in starts:
            ids_BT, mask_BT, real_BT = collate(bucket[start : start + size], tokenizer.pad_token_id)
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
