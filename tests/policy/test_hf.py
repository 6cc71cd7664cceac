"""The transformers policy against plain forward passes of a random micro model."""

import asyncio

import pytest
import torch

from reseek.errors import InputError
from reseek.micro.model import make_model, make_tokenizer
from reseek.policy.hf import TransformersPolicy

TOKENIZER = make_tokenizer()
MODEL = make_model(0, len(TOKENIZER))
TEXTS = ("Who founded it?\n", "In which year was Old Karmel founded? " * 5, "x", "<search> Karmel</search>\n" * 3)
CONTEXTS = [TOKENIZER.encode(text, add_special_tokens=False) for text in TEXTS]


def sample(policy, contexts, stop=(), max_tokens=12):
    async def everyone():
        return await asyncio.gather(*(policy.sample(ids, stop=stop, max_tokens=max_tokens) for ids in contexts))

    return asyncio.run(everyone())


def plain_logprobs(context, ids, temperature=1.0):
    with torch.no_grad():
        logits = MODEL(torch.tensor([[*context, *ids]])).logits[0, len(context) - 1 : -1] / temperature
    return torch.log_softmax(logits, dim=-1).gather(1, torch.tensor(ids)[:, None])[:, 0].tolist()


@pytest.mark.parametrize("temperature", [0.0, 1.0, 0.7])
def test_company_in_the_batch_and_order_change_nothing(temperature):
    together = sample(TransformersPolicy(MODEL, TOKENIZER, temperature=temperature, seed=3), CONTEXTS)
    policy = TransformersPolicy(MODEL, TOKENIZER, temperature=temperature, seed=3)
    alone = [sample(policy, [context])[0] for context in reversed(CONTEXTS)][::-1]
    for one, other in zip(together, alone, strict=True):
        assert one.ids == other.ids
        assert one.logprobs == pytest.approx(other.logprobs, abs=1e-4)


@pytest.mark.parametrize("temperature", [1.0, 0.7])
def test_logprobs_are_those_of_a_full_forward_pass(temperature):
    for context, result in zip(
        CONTEXTS, sample(TransformersPolicy(MODEL, TOKENIZER, temperature=temperature), CONTEXTS), strict=True
    ):
        assert result.logprobs == pytest.approx(plain_logprobs(context, result.ids, temperature), abs=1e-4)


def test_greedy_takes_the_likeliest_token():
    results = sample(TransformersPolicy(MODEL, TOKENIZER, temperature=0), CONTEXTS)
    for context, result in zip(CONTEXTS, results, strict=True):
        with torch.no_grad():
            logits = MODEL(torch.tensor([[*context, *result.ids]])).logits[0, len(context) - 1 : -1]
        assert tuple(logits.argmax(-1).tolist()) == result.ids
        assert result.logprobs == pytest.approx(plain_logprobs(context, result.ids), abs=1e-4)


def test_sampling_ends_with_the_token_that_completes_a_stop_string():
    (free,) = sample(TransformersPolicy(MODEL, TOKENIZER, temperature=0), [CONTEXTS[3]])
    pieces = [TOKENIZER.decode([token]) for token in free.ids]
    position = next(i for i, piece in enumerate(pieces) if piece.strip() and pieces.index(piece) == i)
    (stopped,) = sample(TransformersPolicy(MODEL, TOKENIZER, temperature=0), [CONTEXTS[3]], stop=[pieces[position]])
    assert stopped.ids == free.ids[: position + 1]


def test_small_batches_serve_everyone_and_a_seed_repeats():
    contexts = CONTEXTS * 3
    one = sample(TransformersPolicy(MODEL, TOKENIZER, seed=1, max_batch=2), contexts)
    assert [r.ids for r in one] == [r.ids for r in sample(TransformersPolicy(MODEL, TOKENIZER, seed=1), contexts)]
    assert [r.ids for r in one] != [r.ids for r in sample(TransformersPolicy(MODEL, TOKENIZER, seed=2), contexts)]
    assert len({one[i].ids for i in range(0, len(one), len(CONTEXTS))}) > 1  # a context that comes again draws anew


def test_an_error_reaches_every_caller_and_the_policy_lives_on():
    policy = TransformersPolicy(MODEL, TOKENIZER)

    async def both():
        return await asyncio.gather(
            *(policy.sample([len(TOKENIZER) + 5], stop=(), max_tokens=2) for _ in range(2)), return_exceptions=True
        )

    assert all(isinstance(result, IndexError) for result in asyncio.run(both()))
    assert len(sample(policy, CONTEXTS[:1], max_tokens=2)[0].ids) <= 2


def test_bad_requests_are_refused():
    with pytest.raises(InputError, match="negative"):
        TransformersPolicy(MODEL, TOKENIZER, temperature=-1)
    with pytest.raises(ValueError, match="max_tokens"):
        sample(TransformersPolicy(MODEL, TOKENIZER), [[]])
