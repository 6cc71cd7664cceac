"""Answer metrics against slow references, the verdicts' table, and the sums that training maximises."""

import string
from collections.abc import Sequence

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reseek.config import RewardConfig
from reseek.grammar import Verdict
from reseek.reward import (
    Judged,
    aggregate,
    cover_match,
    exact_match,
    f1,
    judge_one,
    normalise_answer,
    reward_of,
)

PAPER = RewardConfig()
ASYMMETRIC = RewardConfig(wrong_yes=-0.6)
MEAN, CAPPED = RewardConfig(aggregate="mean"), RewardConfig(aggregate="capped")
YES, NO, MISSING = Verdict.YES, Verdict.NO, Verdict.MISSING

# Normalisation and the answer metrics


@pytest.mark.parametrize(
    ("text", "normal"),
    [
        ("The Beatles", "beatles"),
        ("a  an\tthe\nAnna", "anna"),
        ("U.S.A.", "usa"),
        ("rock-'n'-roll!", "rocknroll"),
        ("Theodore the Great", "theodore great"),
        ("Éva ÉCOLE", "éva école"),
        ("“quoted” – dash", "“quoted” – dash"),  # only ASCII punctuation goes
        ("1,000", "1000"),
        ("a_b", "ab"),
        ("The", ""),
        ("", ""),
    ],
)
def test_normalisation(text, normal):
    assert normalise_answer(text) == normal


def slow_normal(text: str) -> list[str]:
    """SQuAD's steps one after the other, without regular expressions."""
    kept = [char for char in text.lower() if char not in string.punctuation]
    out, run = [], ""
    for char in [*kept, " "]:
        if char.isalnum():
            run += char
            continue
        out.append(" " if run in ("a", "an", "the") else run)
        out.append(char)
        run = ""
    return "".join(out).split()


def slow_em(answer: str, golds: Sequence[str]) -> float:
    return 1.0 if any(slow_normal(answer) == slow_normal(gold) for gold in golds) else 0.0


def slow_cover(text: str, golds: Sequence[str]) -> float:
    words = slow_normal(text)
    for gold in map(slow_normal, golds):
        for start in range(len(words)):
            if gold and words[start : start + len(gold)] == gold:
                return 1.0
    return 0.0


def slow_f1(answer: str, golds: Sequence[str]) -> float:
    best = 0.0
    for gold in map(slow_normal, golds):
        left, common = list(gold), 0
        for word in slow_normal(answer):
            if word in left:
                left.remove(word)
                common += 1
        if common:
            precision, recall = common / len(slow_normal(answer)), common / len(gold)
            best = max(best, 2 * precision * recall / (precision + recall))
    return best


WORDS = st.lists(st.sampled_from("the a an of Of CAT dog dog! U.S. é - , é".split()), max_size=6).map(" ".join)
TEXTS = WORDS | st.text(max_size=20)


@settings(deadline=None)
@given(TEXTS, st.lists(TEXTS, min_size=1, max_size=3))
def test_metrics_agree_with_the_slow_reference(answer, golds):
    assert normalise_answer(answer).split() == slow_normal(answer)
    assert normalise_answer(normalise_answer(answer)).split() == slow_normal(" ".join(slow_normal(answer)))
    assert exact_match(answer, golds) == slow_em(answer, golds)
    assert cover_match(answer, golds) == slow_cover(answer, golds)
    assert f1(answer, golds) == pytest.approx(slow_f1(answer, golds))


def test_each_metric_by_hand():
    golds = ("The Silent Harbour", "Harbour, Silent")
    assert exact_match("silent harbour.", golds) == 1.0
    assert exact_match("silent harbour book", golds) == 0.0
    assert f1("silent harbour book", golds) == pytest.approx(2 * (2 / 3) * 1 / (2 / 3 + 1))
    assert cover_match("It is The Silent Harbour (1999).", golds) == 1.0
    assert cover_match("silent harbourmaster", golds) == 0.0
    assert cover_match("anything", ("the",)) == 0.0  # nothing is left of this alias: it stands nowhere
    assert exact_match("silent", golds) == cover_match("silent", golds) == 0.0


def test_no_answer_earns_nothing():
    for metric in (exact_match, cover_match, f1):
        assert metric(None, ("x",)) == 0.0
        assert metric("", ("x",)) == 0.0


# One verdict


@pytest.mark.parametrize(
    ("verdict", "score", "paper", "asymmetric", "right"),
    [
        (YES, 0.9, 0.3, 0.3, True),
        (NO, 0.2, 0.3, 0.3, True),
        (YES, 0.2, -0.3, -0.6, False),
        (NO, 0.9, -0.3, -0.3, False),
        # Silence is what the wrong verdict would have been: a No to something good, a Yes to something bad.
        (MISSING, 0.9, -0.3, -0.3, False),
        (MISSING, 0.2, -0.3, -0.6, False),
    ],
)
def test_the_table_of_verdicts(verdict, score, paper, asymmetric, right):
    for config, reward in ((PAPER, paper), (ASYMMETRIC, asymmetric)):
        judged = judge_one(verdict, score, 0.7, config)
        assert judged == Judged(verdict, score, score > 0.7, reward)
        assert judged.right is right


@settings(deadline=None)
@given(st.sampled_from(Verdict), st.floats(0, 1), st.floats(0, 1))
def test_silence_never_beats_judging(verdict, score, threshold):
    for config in (PAPER, ASYMMETRIC):
        silence = judge_one(MISSING, score, threshold, config).reward
        assert silence == min(judge_one(v, score, threshold, config).reward for v in (YES, NO))
        assert silence <= judge_one(verdict, score, threshold, config).reward


def test_the_threshold_itself_is_bad():
    assert judge_one(YES, 0.7, 0.7, PAPER).label is False
    assert judge_one(YES, 0.7000001, 0.7, PAPER).label is True
    assert judge_one(NO, 0.0, 0.0, PAPER).label is False


@pytest.mark.parametrize("verdict", Verdict)
def test_no_score_no_label_no_reward(verdict):
    judged = judge_one(verdict, None, 0.7, PAPER)
    assert judged == Judged(verdict, None, None, None)
    assert judged.right is None


# Many verdicts


@pytest.mark.parametrize(
    ("rewards", "total", "mean", "capped"),
    [
        ([], 0.0, 0.0, 0.0),
        ([0.3], 0.3, 0.3, 0.3),
        ([0.3, 0.3, 0.3, 0.3], 1.2, 0.3, 0.3),
        ([0.3, -0.3], 0.0, 0.0, 0.0),
        ([-0.6, -0.6], -1.2, -0.6, -0.3),
        ([0.3, -0.3, -0.3, 0.1], -0.2, -0.05, -0.2),
    ],
)
def test_aggregates(rewards, total, mean, capped):
    assert aggregate(rewards, PAPER) == pytest.approx(total)
    assert aggregate(rewards, MEAN) == pytest.approx(mean)
    assert aggregate(rewards, CAPPED) == pytest.approx(capped)
    assert aggregate(rewards, RewardConfig(aggregate="capped", cap=100)) == pytest.approx(total)


def rewarded(answer: str | None, judged: list[Judged], config: RewardConfig):
    return reward_of(answer, ("Gold",), judged, config)


def test_the_paper_s_sum_can_be_farmed_and_ours_cannot():
    useful = judge_one(YES, 0.9, 0.7, PAPER)
    useless = judge_one(NO, 0.1, 0.7, PAPER)
    farming = [useless] * 3 + [useful]
    assert rewarded("gold", [useful], PAPER).total == pytest.approx(1.3)
    assert rewarded("gold", farming, PAPER).total == pytest.approx(2.2)
    # From five turns on, right Noes with a wrong answer beat an honest right one.
    assert rewarded("lead", [useless] * 4, PAPER).total < 1.3 < rewarded("lead", [useless] * 5, PAPER).total
    for config in (MEAN, CAPPED):
        assert rewarded("gold", farming, config).total == rewarded("gold", [useful], config).total == pytest.approx(1.3)
        assert rewarded("lead", [useless] * 5, config).total == pytest.approx(0.3)


@pytest.mark.parametrize("config", [PAPER, MEAN, CAPPED])
def test_an_unlabelled_verdict_counts_nowhere(config):
    judged = [judge_one(YES, 0.9, 0.7, config), judge_one(NO, 0.9, 0.7, config), judge_one(YES, 0.9, 0.7, config)]
    unlabelled = judge_one(YES, None, 0.7, config)
    without = rewarded("gold", judged, config)
    mixed = rewarded("gold", [unlabelled, *judged, unlabelled], config)
    assert (mixed.total, mixed.judge) == (without.total, without.judge)
    assert len(mixed.judged) == 5
    assert rewarded(None, [unlabelled], config).total == 0.0


def test_the_answers_weight_is_configuration():
    config = RewardConfig(answer=0.5, match=0.2)
    reward = rewarded("the gold", [judge_one(YES, 1.0, 0.7, config)], config)
    assert (reward.exact_match, reward.judge, reward.total) == (1.0, pytest.approx(0.2), pytest.approx(0.7))
    assert rewarded("lead", [], config).total == 0.0
