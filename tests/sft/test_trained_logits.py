"""Logits at trained positions give the loss and the gradients that all logits give."""

import pytest
import torch
from peft import LoraConfig, get_peft_model
from transformers import Gemma2Config, Gemma2ForCausalLM

from reseek.micro.model import make_model, make_tokenizer
from reseek.sft.plan import IGNORED
from reseek.sft.trained_logits import trained_logits, trained_loss

WORDS = len(make_tokenizer())


def llama():
    return make_model(0, WORDS)


def gemma():
    """Tied weights, and a cap on the logits that bends them."""
    torch.manual_seed(0)
    small = {"hidden_size": 16, "intermediate_size": 32, "num_hidden_layers": 2, "head_dim": 8}
    heads = {"num_attention_heads": 2, "num_key_value_heads": 1, "final_logit_softcapping": 0.5}
    return Gemma2ForCausalLM(Gemma2Config(vocab_size=WORDS, pad_token_id=0, **small, **heads)).float()


def adapted():
    model = get_peft_model(llama(), LoraConfig(r=2, target_modules="all-linear"))
    with torch.no_grad():
        for name, weights in model.named_parameters():
            if "lora_B" in name:
                weights.normal_(std=0.1)
    return model


def batch() -> dict[str, torch.Tensor]:
    """Rows of 9, 6 and 4 tokens, padded; nothing of the last one is trained."""
    torch.manual_seed(1)
    ids_BT = torch.randint(1, WORDS, (3, 9))
    attended_BT = torch.tensor([[1] * length + [0] * (9 - length) for length in (9, 6, 4)])
    labels_BT = torch.full_like(ids_BT, IGNORED)
    for row, places in enumerate(((1, 4, 5, 8), (2, 5), ())):
        for place in places:
            labels_BT[row, place] = ids_BT[row, place]
    return {"input_ids": ids_BT, "attention_mask": attended_BT, "labels": labels_BT}


def gradients(model, loss: torch.Tensor) -> dict[str, torch.Tensor]:
    model.zero_grad()
    loss.backward()
    return {name: one.grad.clone() for name, one in model.named_parameters() if one.grad is not None}


@pytest.mark.parametrize("make", [llama, gemma, adapted])
@pytest.mark.parametrize("step_tokens", [None, 11])
def test_loss_and_gradients_are_those_of_all_logits(make, step_tokens):
    model, rows = make().train(), batch()
    labels_BT = rows.pop("labels")
    every = model(**rows, labels=labels_BT, num_items_in_batch=step_tokens).loss
    with trained_logits(model, labels_BT):
        outputs = model(**rows)
        few = trained_loss(outputs, labels_BT, step_tokens)
    assert outputs.logits.shape == (1, 6, WORDS)
    assert few.item() == pytest.approx(every.item(), abs=1e-5)
    expected, found = gradients(model, every), gradients(model, few)
    assert expected.keys() == found.keys() and max(one.abs().max() for one in expected.values()) > 1e-3
    for name, one in expected.items():
        torch.testing.assert_close(
            found[name], one, atol=1e-5, rtol=1e-4, msg=lambda text, name=name: f"{name}: {text}"
        )


def test_a_pass_without_trained_tokens_adds_nothing():
    model, rows = llama(), batch()
    labels_BT = torch.full_like(rows.pop("labels"), IGNORED)
    with trained_logits(model, labels_BT):
        loss = trained_loss(model(**rows), labels_BT, 5)
    assert loss.item() == 0.0
    assert all(one.eq(0).all() for one in gradients(model, loss).values())


def test_outside_the_model_gives_all_logits():
    model, rows = llama(), batch()
    with trained_logits(model, rows["labels"]):
        pass
    assert model(rows["input_ids"]).logits.shape == (3, 9, WORDS)
