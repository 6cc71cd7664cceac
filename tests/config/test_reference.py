"""The reference page of all keys is the one that the models generate, and explains every key."""

import re

import pytest

from reseek.config.keys import COMMANDS, defaults_of, groups_of, keys_of, nested_keys
from reseek.config.reference import page
from reseek.config.resolvers import CONF

KEYS = {
    key.path: key
    for command in COMMANDS
    for name, section in groups_of(command).items()
    for keys in [keys_of(section, name)]
    for key in (*keys, *nested_keys(keys))
}


def test_the_committed_page_is_the_generated_one():
    committed = (CONF.parent / "docs" / "reference.md").read_text(encoding="utf-8")
    assert committed == page(), "write it again: python -m reseek.config.reference > docs/reference.md"


def test_every_key_has_a_description():
    assert [path for path, key in KEYS.items() if not key.description] == []


def test_every_key_of_a_group_has_its_row():
    text = page()
    for command in COMMANDS:
        for name, section in groups_of(command).items():
            rows = [key for key in keys_of(section, name) if f"| `{key.path}` | " in text]
            assert len(rows) == len(defaults_of(section)), name


@pytest.mark.parametrize(
    ("path", "default", "values"),
    [
        ("agent.context", "drop", "drop, strict, keep; or text"),
        ("agent.deadline_s", None, "number, > 0; or null"),
        ("algo.gamma", 1.0, "number, > 0, <= 1"),
        ("sft.engine", "vllm", "vllm, transformers"),
        ("cluster.forward_tokens", "???", "integer, >= 1"),
        ("questions.sets.NAME.hub", None, "text; or null"),
        ("search.urls", [], "list"),
    ],
)
def test_a_key_is_described_as_its_model_has_it(path, default, values):
    assert (KEYS[path].default, KEYS[path].type) == (default, values)


def test_no_command_of_the_page_is_taken_for_one_to_run():
    assert re.findall(r"`(?:python|make|pip|reseek) |```", page()) == []
