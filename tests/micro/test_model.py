"""The micro tokenizer loses nothing and splits names by syllable; the micro model is small and copies when new."""

import re

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn import functional

from fictionalhot.worlds.small.names import SYLLABLES, Split
from fictionalhot.worlds.small.world import WorldSizes, make_split
from reseek.agent import prompts
from reseek.agent.episode import prompt_ids
from reseek.agent.grammar import TAGS
from reseek.config.agent import AgentConfig, Prompt
from reseek.micro.model import MAX_POSITIONS, make_model, make_tokenizer, syllable_ids, year_ids

TOKENIZER = make_tokenizer()
ENVIRONMENT = (prompts.STUB, prompts.HINT, prompts.NOTICE, prompts.INFORMATION_OPEN, prompts.INFORMATION_CLOSE)
# Everything but lone surrogates, which no UTF-8 text holds.
ANY_TEXT = st.text(st.characters(blacklist_categories=("Cs",)))
HOSTILE = st.lists(
    st.one_of(
        ANY_TEXT,
        st.sampled_from([f"<{slash}{tag}>" for tag in TAGS for slash in ("", "/")]),
        st.sampled_from(["<|im_end|>", "</s>", "Ġ", "▁", "  ", "\n\n", " Yes", "No", "1873", "\x00", "Doc 1("]),
        st.sampled_from(SYLLABLES),
    )
).map("".join)


@pytest.fixture(scope="module")
def passages():
    return make_split(Split.TEST, WorldSizes().held_out, seed=9).passages


def encode(text):
    return TOKENIZER.encode(text, add_special_tokens=False)


@settings(max_examples=300, deadline=None)
@given(HOSTILE)
def test_any_text_comes_back_as_it_was(text):
    assert TOKENIZER.decode(encode(text), skip_special_tokens=False) == text
    if "<|pad|>" not in text and "<|eos|>" not in text:
        assert TOKENIZER.decode(encode(text), skip_special_tokens=True) == text


def test_world_and_environment_come_back_and_cost_few_tokens(passages):
    for text in ENVIRONMENT:
        assert TOKENIZER.decode(encode(text)) == text
        assert len(encode(text)) <= 40
    lengths = []
    for passage in passages:
        text = f'Doc 1(Title: "{passage.title}") {passage.text}'
        assert TOKENIZER.decode(encode(text)) == text
        lengths.append(len(encode(text)))
    assert max(lengths) <= 48


@pytest.mark.parametrize("tag", [f"<{slash}{tag}>" for tag in TAGS for slash in ("", "/")])
def test_a_tag_is_one_ordinary_token(tag):
    (token,) = encode(tag)
    assert TOKENIZER.decode([token], skip_special_tokens=True) == tag
    assert token not in TOKENIZER.all_special_ids


@pytest.mark.parametrize("word", ["Yes", "No", " Yes", " No", " 1800", " 1999", " :", " other"])
def test_a_frequent_word_is_one_token(word):
    assert len(encode(word)) == 1


def test_a_name_is_one_token_a_syllable_everywhere(passages):
    forms = syllable_ids(TOKENIZER)
    number = {token: index for form in forms for index, token in enumerate(form)}
    for passage in passages:
        if "-person-" not in passage.id:
            continue
        for around in ("{}", " {}", "<search> {}</search>", '"{}")', "by {}.", "the river {} runs", "{}\n"):
            ids = [number[token] for token in encode(around.format(passage.title)) if token in number]
            assert [SYLLABLES[i] for i in ids] == re.findall("...", passage.title.replace(" ", "").lower())


def test_the_chat_template_is_the_question_and_a_line_break():
    ids = prompt_ids(TOKENIZER, AgentConfig(prompt=Prompt.BARE), "Who founded it?")
    assert TOKENIZER.decode(list(ids)) == "Who founded it?\n"


def test_the_vocabulary_and_the_model_are_small_and_the_same_each_time():
    assert len(TOKENIZER) < 1200
    assert make_tokenizer().get_vocab() == TOKENIZER.get_vocab()
    model, again = make_model(5, len(TOKENIZER)), make_model(5, len(TOKENIZER))
    assert 0.7e6 < sum(parameter.numel() for parameter in model.parameters()) < 1.2e6
    assert all(torch.equal(a, b) for a, b in zip(model.parameters(), again.parameters(), strict=True))
    assert not torch.equal(model.model.embed_tokens.weight, make_model(6, len(TOKENIZER)).model.embed_tokens.weight)
    assert model.dtype == torch.float32
    assert model.config.max_position_embeddings == MAX_POSITIONS
    assert len(year_ids(TOKENIZER)) == 200


def test_the_generator_of_others_is_left_alone():
    torch.manual_seed(0)
    expected = torch.rand(1)
    torch.manual_seed(0)
    make_model(5, len(TOKENIZER))
    assert torch.equal(torch.rand(1), expected)


def test_a_new_model_already_copies():
    model = make_model(0, len(TOKENIZER)).eval()
    once_BT = torch.randint(20, len(TOKENIZER), (16, 30), generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        logits_BTV = model(torch.cat([once_BT, once_BT], dim=1)).logits[:, 30:-1]
    loss = functional.cross_entropy(logits_BTV.flatten(0, 1), once_BT[:, 1:].flatten())
    right = (logits_BTV.argmax(-1) == once_BT[:, 1:]).float().mean()
    assert right > 0.6, (float(right), float(loss))
