"""The loss that the Trainer minimises is the intended one, however a batch is cut."""

import json
import random

import pytest
import torch
from datasets import load_from_disk
from hypothesis import given
from hypothesis import strategies as st

from reseek.config.sft import ImitationSettings
from reseek.errors import InputError
from reseek.micro.model import make_model, make_tokenizer
from reseek.rollout.training_row import Row
from reseek.sft.fit import InOrder, Metrics, Padding, arguments_of, share_of_rate
from reseek.sft.plan import METRICS, ROWS, Plan, check_batches, labels_of, write_plan, write_rows
from reseek.sft.row_order import Order
from reseek.training.monitor.divergence import UpdateStopped

TOKENIZER = make_tokenizer()


def rows(count: int = 12) -> list[Row]:
    rng = random.Random(0)
    made = []
    for _ in range(count):
        length = rng.randint(3, 30)
        mask = (0, *(rng.choice([0, 0, 1]) for _ in range(length - 2)), 1)
        made.append(Row(tuple(rng.randrange(len(TOKENIZER)) for _ in range(length)), mask))
    return made


def plan(**settings) -> Plan:
    sft = ImitationSettings(**{"batch_rows": 12, "device_rows": 12, "warmup_ratio": 0.0, **settings})
    return Plan(
        model="none",
        chat_template=None,
        dtype="float32",
        device="cpu",
        workers=1,
        seed=0,
        name="test",
        loggers=(),
        sft=sft,
        rows=12,
        validation_rows=0,
    )


def mean_loss(model, batch: list[Row]) -> float:
    """The mean over all trained tokens, row by row, without padding, labels or torch's cross-entropy."""
    losses = []
    for row in batch:
        with torch.no_grad():
            logits_TV = model(torch.tensor([row.ids])).logits[0].double()
        probability_TV = logits_TV.exp() / logits_TV.exp().sum(-1, keepdim=True)
        losses += [
            -float(probability_TV[place - 1, row.ids[place]].log()) for place in range(len(row.ids)) if row.mask[place]
        ]
    return sum(losses) / len(losses)


@pytest.mark.parametrize("device_rows", [12, 3])
def test_the_loss_is_the_mean_over_the_trained_tokens_of_the_whole_batch(tmp_path, device_rows):
    write_rows(tmp_path, rows(), [])
    model = make_model(0, len(TOKENIZER))
    expected = mean_loss(model, rows())
    asked = plan(device_rows=device_rows, steps=1, learning_rate=0.0)
    trainer = InOrder(
        model,
        arguments_of(asked, tmp_path, measure=False),
        data_collator=Padding(TOKENIZER.pad_token_id),
        train_dataset=load_from_disk(str(tmp_path / ROWS / "train")),
    )
    trainer.train()
    logged = next(line["loss"] for line in trainer.state.log_history if "loss" in line)
    assert float(logged) == pytest.approx(expected, abs=1e-5)


def test_the_learning_rate_rises_from_the_first_step_on_and_falls_after_the_warm_up(tmp_path):
    write_rows(tmp_path, rows(), [])
    trainer = InOrder(
        make_model(0, len(TOKENIZER)),
        arguments_of(plan(steps=8, learning_rate=0.008, warmup_ratio=0.5), tmp_path, measure=False),
        data_collator=Padding(TOKENIZER.pad_token_id),
        train_dataset=load_from_disk(str(tmp_path / ROWS / "train")),
        callbacks=[Metrics(tmp_path / METRICS)],
    )
    trainer.train()
    rates = [json.loads(line)["sft/learning_rate"] for line in (tmp_path / METRICS).read_text().splitlines()]
    assert rates == pytest.approx([0.002, 0.004, 0.006, 0.008, 0.008, 0.006, 0.004, 0.002])


@given(st.integers(1, 50), st.integers(0, 50))
def test_no_step_is_without_a_learning_rate(steps, warmup):
    shares = [share_of_rate(step, steps=steps, warmup=min(warmup, steps)) for step in range(steps)]
    assert all(0 < share <= 1 for share in shares) and max(shares) == 1


def test_a_loss_that_is_no_number_ends_the_training_and_is_not_recorded(tmp_path):
    write_rows(tmp_path, rows(), [])
    model = make_model(0, len(TOKENIZER))
    with torch.no_grad():
        next(iter(model.parameters())).mul_(float("nan"))
    trainer = InOrder(
        model,
        arguments_of(plan(steps=2), tmp_path, measure=False),
        data_collator=Padding(TOKENIZER.pad_token_id),
        train_dataset=load_from_disk(str(tmp_path / ROWS / "train")),
        callbacks=[Metrics(tmp_path / METRICS)],
    )
    with pytest.raises(UpdateStopped, match=r"sft/\w+ of step 1 is nan"):
        trainer.train()
    assert not (tmp_path / METRICS).exists()


def test_only_the_agent_s_tokens_have_labels_and_padding_is_not_attended():
    batch = Padding(0)([{"input_ids": row.ids, "labels": labels_of(row)} for row in rows()])
    for number, row in enumerate(rows()):
        length = len(row.ids)
        assert batch["input_ids"][number, :length].tolist() == list(row.ids)
        assert batch["attention_mask"][number].sum() == length
        trained = batch["labels"][number] != -100
        assert trained.nonzero().flatten().tolist() == [place for place in range(length) if row.mask[place]]
        assert torch.equal(batch["labels"][number][trained], batch["input_ids"][number][trained])


@given(st.integers(0, 100), st.integers(1, 9), st.integers(0, 5))
def test_every_row_is_trained_once_an_epoch_beside_rows_of_like_length(count, batch, seed):
    lengths = [random.Random(number).randint(1, 100) for number in range(count)]
    order = Order(lengths, batch, seed)
    first = list(order)
    assert sorted(first) == list(range(count)) and len(order) == count
    order.set_epoch(1)
    assert count < 8 * batch or list(order) != first  # few steps may come in the same order again
    order.set_epoch(0)
    assert list(order) == first
    full = [first[i : i + batch] for i in range(0, count - batch + 1, batch)]
    if batch >= 4 and len(full) >= 8:
        spread = [max(lengths[row] for row in step) - min(lengths[row] for row in step) for step in full]
        assert sum(spread) / len(spread) < 40  # at random: near 100 (batch - 1) / (batch + 1), 60 and more


def test_a_folder_holds_one_plan(tmp_path):
    write_plan(tmp_path, plan())
    write_plan(tmp_path, plan())
    with pytest.raises(InputError, match=r"holds a run of other settings \(learning_rate was 1e-05, is now 0.1\)"):
        write_plan(tmp_path, plan(learning_rate=0.1))


def test_steps_are_counted_as_the_trainer_counts_them():
    assert plan(steps=7).steps == 7
    assert plan(epochs=3).steps == 3
    assert plan(batch_rows=8, device_rows=4).steps == 2
    assert plan(batch_rows=8, device_rows=8).steps == 2
    with pytest.raises(InputError, match=r"sft.batch_rows=8: must be a multiple of sft.device_rows=4 x 3 devices"):
        check_batches(ImitationSettings(batch_rows=8, device_rows=4), 3)
