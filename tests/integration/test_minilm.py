"""The bi-encoder oracle with the embedded all-MiniLM-L6-v2."""

import asyncio

import pytest

from reseek.oracle.bi_encoder import BiEncoderOracle
from reseek.questions import Question

pytestmark = pytest.mark.integration

RELATED = 'Doc 1(Title: "Paris") Paris is the capital and largest city of France.'
UNRELATED = 'Doc 1(Title: "Photosynthesis") Plants turn light into chemical energy in their leaves.'


@pytest.fixture(scope="module")
def oracle() -> BiEncoderOracle:
    return BiEncoderOracle()


def score(oracle: BiEncoderOracle, golds: tuple[str, ...], *texts: str) -> list[float | None]:
    asked = Question(id="1", question="Which one is meant?", golden_answers=golds)
    return asyncio.run(oracle.score(asked, texts))


def test_scores_are_in_order_and_within_bounds(oracle):
    related, unrelated, opposite = score(oracle, ("Paris, France",), RELATED, UNRELATED, "zxqv 0x00 ;;;")
    assert 0.0 <= unrelated < related <= 1.0 and 0.0 <= opposite < related
    assert related > 0.5
    assert score(oracle, ("Paris, France",), UNRELATED, RELATED) == pytest.approx([unrelated, related], abs=1e-5)


def test_negative_cosine_is_zero(oracle):
    texts = ["Plants turn light into energy.", "football match", "quarterly tax return", "C major chord", "42", ""]
    golds = ["Paris", "blue whale", "1969", "Mira Tolden", "integer overflow", "cheese", "Mount Fuji"]
    scores = [s for gold in golds for s in score(oracle, (gold,), *texts)]
    assert min(scores) == 0.0 and all(0.0 <= s <= 1.0 for s in scores)


def test_the_best_alias_counts(oracle):
    (good,) = score(oracle, ("capital of France",), RELATED)
    (bad,) = score(oracle, ("chlorophyll",), RELATED)
    (both,) = score(oracle, ("chlorophyll", "capital of France"), RELATED)
    assert bad < good == pytest.approx(both, abs=1e-5)
    assert score(oracle, ("yes",), RELATED) == [None]
