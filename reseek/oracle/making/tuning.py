"""Gradient descent over pairs within a time limit.

Binary cross-entropy on the model's one logit, AdamW; the learning rate rises over the first twentieth and falls
linearly to zero at the end, which is the last pair or the last second, whichever comes first. So a run that
reaches the time limit still ends with a small rate; its number of steps depends on the machine.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from reseek.oracle.local_models import together
from reseek.oracle.making.training_pairs import TrainingPair

_WARM_UP = 0.05
_SORTED_TOGETHER = 32  # batches: pairs of similar length share one, which saves padding


@dataclass(frozen=True)
class Tuning:
    """How to train. `frozen_layers`: the embeddings and this many lowest layers are frozen (0: none)."""

    learning_rate: float
    batch_size: int
    max_tokens: int
    frozen_layers: int
    seconds: float
    epochs: int
    seed: int


def tune(model: Any, pairs: Sequence[TrainingPair], how: Tuning, on_progress: Callable[[float, str], None]) -> int:
    """Train a CrossEncoder of one output in place; returns how many pairs it saw. Texts longer than `max_tokens`, with
    their query, are truncated here (scoring cuts them into windows). `on_progress` is called with the share done."""
    torch.manual_seed(how.seed)  # dropout
    network, tokenizer = model.model, model.tokenizer
    weights = [weight for name, weight in network.named_parameters() if not _frozen(name, how.frozen_layers)]
    optimiser = torch.optim.AdamW(weights, lr=how.learning_rate, weight_decay=0.01)
    for weight in network.parameters():
        weight.requires_grad_(False)
    for weight in weights:
        weight.requires_grad_(True)
    network.train()
    started, seen, smooth = time.monotonic(), 0, 0.7
    for batch in _batches(pairs, how):
        done = max(seen / (len(pairs) * how.epochs), (time.monotonic() - started) / how.seconds)
        if done >= 1:
            break
        for group in optimiser.param_groups:
            group["lr"] = how.learning_rate * min(done / _WARM_UP, (1 - done) / (1 - _WARM_UP))
        loss = 0.0
        size = together(len(batch), network.device)
        for first in range(0, len(batch), size):
            part = _loss(network, tokenizer, batch[first : first + size], how.max_tokens) / len(batch)
            part.backward()
            loss += part.item()
        torch.nn.utils.clip_grad_norm_(weights, 1.0)
        optimiser.step()
        optimiser.zero_grad()
        seen += len(batch)
        smooth += 0.02 * (loss - smooth)
        on_progress(done, f"{seen:,} pairs, loss {smooth:.3f}")
    network.eval()
    return seen


def _loss(network: Any, tokenizer: Any, pairs: Sequence[TrainingPair], max_tokens: int) -> torch.Tensor:
    """The sum of the pairs' cross-entropies."""
    features = tokenizer(
        [one.pair.query for one in pairs],
        [one.pair.text for one in pairs],
        truncation=True,
        max_length=max_tokens,
        padding=True,
        return_tensors="pt",
    ).to(network.device)
    logits_B = network(**features).logits.squeeze(-1)
    good_B = torch.tensor([float(one.good) for one in pairs], device=network.device)
    return torch.nn.functional.binary_cross_entropy_with_logits(logits_B, good_B, reduction="sum")


def _frozen(name: str, layers: int) -> bool:
    return layers > 0 and (".embeddings." in name or any(f".layer.{number}." in name for number in range(layers)))


def _batches(pairs: Sequence[TrainingPair], how: Tuning) -> Iterator[list[TrainingPair]]:
    order = torch.Generator().manual_seed(how.seed)
    span = how.batch_size * _SORTED_TOGETHER
    for _ in range(how.epochs):
        shuffled = [pairs[place] for place in torch.randperm(len(pairs), generator=order).tolist()]
        for start in range(0, len(shuffled), span):
            chunk = sorted(shuffled[start : start + span], key=lambda one: len(one.pair.query) + len(one.pair.text))
            batches = [chunk[first : first + how.batch_size] for first in range(0, len(chunk), how.batch_size)]
            yield from (batches[place] for place in torch.randperm(len(batches), generator=order).tolist())
