"""Every file of examples/ is short and works through the code that runs it in earnest."""

import asyncio
import sys
from pathlib import Path

import pytest

from reseek.config.agent import AgentConfig
from reseek.config.oracle import OracleConfig
from reseek.config.rewards import RewardConfig
from reseek.oracle.literal import LiteralOracle
from reseek.questions.record import Question
from reseek.rewards.scoring import score_episode
from reseek.rollout.stats import EpisodeStats
from tests.support.episodes import Memory, Script, play

EXAMPLES = Path(__file__).parents[1] / "examples"
QUESTION = Question(id="1", question="who?", golden_answers=("Mira",), supporting_titles=("T2",))
SAID = ("<search>g</search>", "<judge>Yes</judge>", "<answer>it was Mira of the harbour</answer>")


@pytest.fixture(autouse=True)
def in_the_folder_of_the_examples(monkeypatch):
    monkeypatch.chdir(EXAMPLES)
    yield
    for file in EXAMPLES.glob("*.py"):
        sys.modules.pop(file.stem, None)


def finished(*said: str, **agent):
    world = Memory({"g": ["It was Mira.", "harbour"], "b": ["nothing"]})
    return play(Script(*(said or SAID)), world, AgentConfig.model_validate({"prompt": "bare", **agent}))


@pytest.mark.parametrize("file", sorted(EXAMPLES.glob("*.py")) + sorted(EXAMPLES.glob("*.yaml")), ids=lambda f: f.name)
def test_an_example_is_short(file):
    if file.suffix == ".py":
        assert len(file.read_text().splitlines()) <= 40


def test_a_reward_term():
    rewards = RewardConfig(terms=[{"name": "brief_answers:BriefAnswers", "options": {"each": 0.1}}])
    episode = finished()
    reward = asyncio.run(score_episode(episode, QUESTION, LiteralOracle(), OracleConfig(threshold=0.5), rewards))
    assert reward.part("BriefAnswers") == pytest.approx(-0.3)
    assert reward.total == pytest.approx(0.0 + 0.3 - 0.3)
    assert EpisodeStats.of(episode, reward).other_reward == pytest.approx(-0.3)
