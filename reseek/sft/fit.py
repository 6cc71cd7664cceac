"""One training process of an SFT run: `python -m reseek.sft.fit RUN`, or as many as there are devices under torchrun.

transformers' Trainer does the work. Invariant: the loss of an optimiser step is the mean cross-entropy over the trained
tokens of its whole batch, however that batch is cut into forward passes and devices; rows are padded, never packed or
cut. The first process writes `metrics.jsonl` as it goes and, whole and last, `model/` (transformers' format).
"""

import json
import math
import os
import sys
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset, load_from_disk
from torch.optim.lr_scheduler import LambdaLR
from transformers import (
    Trainer,
    TrainerCallback,
    TrainingArguments,
    set_seed,
)

from corpora.atomic import append_line, replaced_folder
from reseek.policy.pretrained import language_model, tokenizer_of
from reseek.sft.plan import CHECKPOINTS, IGNORED, METRICS, MODEL, ROWS, Plan, last_checkpoint, read_plan
from reseek.sft.row_order import Order
from reseek.sft.trained_logits import trained_logits, trained_loss
from reseek.training.monitor.divergence import check_update

_NOT_OURS = ("total_flos", "train_runtime", "train_samples_per_second", "train_steps_per_second", "epoch")
_LOGGERS = ("tensorboard", "wandb", "swanlab", "mlflow", "clearml", "trackio")
"""Those of `run.loggers` that the Trainer knows by the same name."""


def fit(folder: Path) -> None:
    """Train by the folder's plan, from its newest checkpoint if there is one, and write the model."""
    plan = read_plan(folder)
    train = load_from_disk(str(folder / ROWS / "train"))
    validation = load_from_disk(str(folder / ROWS / "validation")) if plan.validation_rows else None
    set_seed(plan.seed)
    tokenizer = tokenizer_of(plan.model, "policy.path")
    if plan.chat_template is not None:
        tokenizer.chat_template = plan.chat_template
    # Full precision weights and optimiser; bfloat16 is what the forward and backward passes compute in.
    model = language_model(plan.model, "policy.path", "float32")
    trainer = InOrder(
        model,
        arguments_of(plan, folder, measure=validation is not None),
        data_collator=Padding(tokenizer.pad_token_id or 0),
        train_dataset=train,
        eval_dataset=validation,
        callbacks=[Metrics(folder / METRICS)],
    )
    checkpoint = last_checkpoint(folder)
    trainer.train(resume_from_checkpoint=None if checkpoint is None else str(checkpoint))
    if validation is not None:
        trainer.evaluate()
    write_model(trainer, tokenizer, plan, folder)


def arguments_of(plan: Plan, folder: Path, *, measure: bool) -> TrainingArguments:
    """transformers' settings of a plan. `measure`: there are validation rows."""
    sft, cpu = plan.sft, plan.device == "cpu"
    os.environ["TENSORBOARD_LOGGING_DIR"] = str(folder / "tensorboard")
    return TrainingArguments(
        output_dir=str(folder / CHECKPOINTS),
        run_name=plan.name,
        max_steps=sft.steps or -1,
        num_train_epochs=sft.epochs,
        learning_rate=sft.learning_rate,
        # A number below one is a share of the steps to transformers, from one on a number of steps.
        warmup_steps=math.ceil(sft.warmup_ratio * plan.steps),
        weight_decay=sft.weight_decay,
        max_grad_norm=1.0,
        per_device_train_batch_size=sft.device_rows,
        per_device_eval_batch_size=sft.device_rows,
        gradient_accumulation_steps=plan.accumulation,
        average_tokens_across_devices=True,
        gradient_checkpointing=sft.gradient_checkpointing,
        bf16=plan.dtype == "bfloat16",
        use_cpu=cpu,
        ddp_backend="gloo" if cpu and plan.workers > 1 else None,
        fsdp="full_shard auto_wrap" if sft.shard and plan.workers > 1 else None,
        seed=plan.seed,
        data_seed=plan.seed,
        dataloader_pin_memory=not cpu,
        remove_unused_columns=False,
        eval_on_start=measure,
        eval_strategy="no",
        save_strategy="steps" if sft.save_every > 0 else "no",
        save_steps=sft.save_every if sft.save_every > 0 else 500,
        save_total_limit=1,
        logging_steps=1,
        logging_first_step=True,
        logging_nan_inf_filter=False,  # it would log a loss that is NaN as 0
        report_to=[name for name in plan.loggers if name in _LOGGERS],
        disable_tqdm=True,
    )


class InOrder(Trainer):
    """The Trainer, with our order of the rows (transformers' own one by lengths does not mix a small set) and logits at
    trained positions only."""

    def __init__(self, model: Any, args: TrainingArguments, **keywords: Any) -> None:
        super().__init__(model, args, compute_loss_func=trained_loss, **keywords)

    def compute_loss(self, model: Any, inputs: dict[str, Any], *arguments: Any, **keywords: Any) -> Any:
        with trained_logits(self.accelerator.unwrap_model(model), inputs["labels"]):
            return super().compute_loss(model, inputs, *arguments, **keywords)

    def create_scheduler(self, num_training_steps: int, optimizer: Any = None) -> LambdaLR:
        if self.lr_scheduler is None:
            warmup = self.args.get_warmup_steps(num_training_steps)
            share = partial(share_of_rate, steps=num_training_steps, warmup=warmup)
            scheduled: Any = self.optimizer if optimizer is None else optimizer
            self.lr_scheduler = LambdaLR(scheduled, share)
            self._created_lr_scheduler = True
        return self.lr_scheduler

    def _get_train_sampler(self, train_dataset: Dataset | None = None) -> Any:
        rows: Any = self.train_dataset if train_dataset is None else train_dataset
        passes = self.args.per_device_train_batch_size * self.args.gradient_accumulation_steps
        return Order(rows["length"][:], passes * self.args.world_size, self.args.seed)


def share_of_rate(step: int, *, steps: int, warmup: int) -> float:
    """The share of the learning rate in a step, counted from 0: it rises to 1 in the `warmup` steps and then falls to 0
    after the last of `steps`. No step has none: transformers' own schedule gives none to the first."""
    if step < warmup:
        return (step + 1) / warmup
    return max(0.0, (steps - step) / max(1, steps - warmup))


class Padding:
    """Rows of one forward pass, padded on the right."""

    def __init__(self, pad: int) -> None:
        self.pad = pad

    def __call__(self, rows: Sequence[dict[str, Any]]) -> dict[str, torch.Tensor]:
        longest = max(len(row["input_ids"]) for row in rows)

        def padded(key: str, filling: int) -> torch.Tensor:
            return torch.tensor([[*row[key], *[filling] * (longest - len(row[key]))] for row in rows])

        attention = [[1] * len(row["input_ids"]) + [0] * (longest - len(row["input_ids"])) for row in rows]
        return {
            "input_ids": padded("input_ids", self.pad),
            "labels": padded("labels", IGNORED),
            "attention_mask": torch.tensor(attention),
        }


class Metrics(TrainerCallback):
    """Appends what the Trainer logs to `metrics.jsonl`: a line with `phase` step or validated."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def on_log(self, args, state, control, logs=None, **_kwargs) -> None:
        if not state.is_world_process_zero or not logs:
            return
        validated = "eval_loss" in logs
        if not validated and "loss" not in logs:  # the summary at the end
            return
        named = (
            {"validation/loss": logs["eval_loss"]}
            if validated
            else {f"sft/{key}": value for key, value in logs.items() if key not in _NOT_OURS}
        )
        check_update(named, state.global_step)
        line = {"step": state.global_step, "phase": "validated" if validated else "step", **named}
        append_line(self.path, json.dumps(line, allow_nan=False))


def write_model(trainer: Trainer, tokenizer: Any, plan: Plan, folder: Path) -> None:
    """Write `model/`, in the policy's dtype, with the tokenizer and its chat template."""
    state = trainer.accelerator.get_state_dict(trainer.model)  # gathers the shards: every process takes part
    if trainer.is_world_process_zero():
        dtype = getattr(torch, plan.dtype)
        bare = trainer.accelerator.unwrap_model(trainer.model)
        bare.config.dtype = dtype
        # Tied weights are one tensor, and have to stay one.
        cast = {tensor.data_ptr(): tensor.to(dtype) for tensor in state.values()}
        with replaced_folder(folder / MODEL) as building:
            bare.save_pretrained(building, state_dict={name: cast[tensor.data_ptr()] for name, tensor in state.items()})
            tokenizer.save_pretrained(building)
    trainer.accelerator.wait_for_everyone()


if __name__ == "__main__":
    fit(Path(sys.argv[1]))
