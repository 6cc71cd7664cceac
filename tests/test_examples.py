"""Every file of examples/ is short and works through the code that runs it in earnest."""

import asyncio
import sys
from pathlib import Path

import pytest
import torch

from reseek.config.agent import AgentConfig
from reseek.config.algo import AlgoSettings, Control
from reseek.config.oracle import OracleConfig
from reseek.config.rewards import RewardConfig
from reseek.errors import InputError
from reseek.oracle import make_oracle
from reseek.oracle.literal import LiteralOracle
from reseek.questions.record import Question
from reseek.rollout.scoring import score_episode
from reseek.rollout.stats import EpisodeStats
from reseek.training.credit.rows import credit_rows, estimator_of
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


def test_an_oracle():
    oracle = OracleConfig(name="several_passages:SeveralPassages", options={"wanted": 2}, threshold=0.4)
    assert OracleConfig.model_validate_json(oracle.model_dump_json()) == oracle
    reward = asyncio.run(score_episode(finished(), QUESTION, make_oracle(oracle), oracle, RewardConfig()))
    (judged,) = reward.judged
    assert (judged.score, judged.label, judged.reward) == (0.5, True, 0.3)
    flipped = make_oracle(oracle.model_copy(update={"flip": 1.0}))
    assert asyncio.run(score_episode(finished(), QUESTION, flipped, oracle, RewardConfig())).judged[0].label is False


def test_an_oracle_reads_no_key_of_the_built_in_ones():
    with pytest.raises(ValueError, match="model is read by bi_encoder, cross_encoder, remote, not by several_passages"):
        OracleConfig(name="several_passages:SeveralPassages", model="m")
    with pytest.raises(ValueError, match="options: literal has none"):
        OracleConfig(name="literal", options={"wanted": 2})
    with pytest.raises(InputError, match="oracle.options.want: SeveralPassages has no such option; known: wanted"):
        make_oracle(OracleConfig(name="several_passages:SeveralPassages", options={"want": 2}))
    with pytest.raises(InputError, match="oracle.name=literl: unknown; known: literal, supporting, bi_encoder, cross_"):
        OracleConfig(name="literl")


def test_an_advantage_estimator():
    algo = AlgoSettings(estimator="best_of_group:BestOfGroup", options={"push": 2})
    rewards, masks = [1.0, 0.0, 1.0, 0.5], [torch.tensor([1.0, 1.0, 0.0])] * 4
    credits = [{"outcome": reward, "judge": 0.0, "verdicts": []} for reward in rewards]
    keys = [f"q_{number}_0" for number in range(4)]
    advantages, _ = credit_rows(estimator_of(algo, "0"), keys, masks, None, credits, [False] * 4, whiten=False)
    assert [row.tolist() for row in advantages] == [[2, 2, 0], [0, 0, 0], [2, 2, 0], [0, 0, 0]]
    shuffled = estimator_of(algo.model_copy(update={"control": Control.PERMUTED_REWARDS}), "0")
    permuted, _ = credit_rows(shuffled, keys, masks, None, credits, [False] * 4, whiten=False)
    assert sorted(row.tolist() for row in permuted) == sorted(row.tolist() for row in advantages)
