"""Logits at trained positions only: the output layer sees the hidden states that predict a trained token, no others.

Most tokens of a row are questions and passages; their logits would cost a matrix product with the whole vocabulary and
its memory. Invariant: loss and gradients are those of all logits with the other labels ignored.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch.nn.functional import cross_entropy

from reseek.errors import InputError
from reseek.sft.plan import IGNORED


def predicted(labels_BT: torch.Tensor) -> torch.Tensor:
    """Where the next token is trained: a mask of all positions but the last, [B, T - 1]."""
    return labels_BT[:, 1:] != IGNORED


@contextmanager
def trained_logits(model: Any, labels_BT: torch.Tensor) -> Iterator[None]:
    """Inside, `model` (a causal language model, bare or in peft's wrapper) gives logits of shape [1, K, V], one for
    each trained token in the order of rows and places. What the model does to logits after its output layer, such as
    a cap, it does to these. Raises InputError for a model without an output layer."""
    head = model.get_output_embeddings()
    if head is None:
        raise InputError(f"policy.path: a {type(model).__name__} has no output layer to train")
    mask_BT = predicted(labels_BT)

    def select(_module: Any, inputs: tuple[torch.Tensor, ...]) -> tuple[torch.Tensor, ...]:
        hidden_BTD, *others = inputs
        return (hidden_BTD[:, :-1][mask_BT.to(hidden_BTD.device)][None], *others)

    hook = head.register_forward_pre_hook(select)
    try:
        yield
    finally:
        hook.remove()


def trained_loss(
    outputs: Any, labels_BT: torch.Tensor, num_items_in_batch: torch.Tensor | int | None = None
) -> torch.Tensor:
    """The cross-entropy of the logits under `trained_logits`, in float32: its sum over `num_items_in_batch` (the
    trained tokens of the whole optimiser step), its mean where that is None."""
    targets_K = labels_BT[:, 1:][predicted(labels_BT)]
    logits_KV = outputs["logits"][0].float()
    total = cross_entropy(logits_KV, targets_K.to(logits_KV.device), reduction="sum")
    return total / (len(targets_K) if num_items_in_batch is None else num_items_in_batch)
