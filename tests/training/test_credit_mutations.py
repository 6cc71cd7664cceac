"""The slow references catch faults planted in `reseek.training.credit.estimators`."""

import pytest

from reseek.training.credit import estimators as credit
from tests.support.credit import CHECKS
from tests.support.mutations import Mutation, mutated

SEEDS = range(20)

FAULTS = [
    Mutation(
        "leave one out: leaves none out",
        "(rewards_G.sum() - rewards_G) / (count - 1)",
        "rewards_G.sum() / count",
    ),
    Mutation("leave one out: the mean of one member too many", "/ (count - 1)", "/ count"),
    Mutation("leave one out: a group of one is not 0", "if count < 2:", "if count < 1:"),
    Mutation("group: the deviation of a population", "rewards_G.std() +", "rewards_G.std(correction=0) +"),
    Mutation("group: the variance for the deviation", "rewards_G.std() +", "rewards_G.var() +"),
    Mutation("group: not centred", "(rewards_G - rewards_G.mean()) /", "rewards_G /"),
    Mutation("group: not divided", " / (rewards_G.std() + _EPSILON)", ""),
    Mutation("group: a group of one is not 0", "if len(rewards_G) < 2:", "if len(rewards_G) < 1:"),
    Mutation("group: the verdicts' rewards are forgotten", "return self.outcome + self.judge", "return self.outcome"),
    Mutation(
        "group: a member for each segment",
        "return _spread(group, _normalised_G(_float64([session.total for session in group])))",
        "totals = [session.total for session in group for _ in session.segments]\n"
        "        firsts = [sum(len(s.segments) for s in group[:g]) for g in range(len(group))]\n"
        "        return _spread(group, _normalised_G(_float64(totals))[firsts])",
    ),
    Mutation("spread: on every position", "advantage * segment.mask_T.double()",
             "advantage * torch.ones_like(segment.mask_T).double()"),
    Mutation("spread: float32", "advantage * segment.mask_T.double()", "(advantage * segment.mask_T).float()"),
    Mutation("step: a baseline over one's own session too", "if other != number for r", "for r"),
    Mutation("step: a baseline over one's own session only", "if other != number for r", "if other == number for r"),
    Mutation(
        "step: no baseline",
        "(verdict.reward - baseline) * segment",
        "verdict.reward * segment",
    ),
    Mutation(
        "step: the mean over sessions of their means",
        "baseline = sum(others) / len(others) if others else 0.0",
        "means = [sum(s.verdict_rewards) / len(s.verdict_rewards)"
        " for o, s in enumerate(group) if o != number and s.verdict_rewards]\n"
        "            baseline = sum(means) / len(means) if means else 0.0",
    ),
    Mutation("step: the whole row for a verdict's tokens", "span = slice(verdict.start, verdict.end)",
             "span = slice(None)"),
    Mutation("step: a verdict's last token is left out", "span = slice(verdict.start, verdict.end)",
             "span = slice(verdict.start, verdict.end - 1)"),
    Mutation("step: a verdict instead of the answer", "credited_T[span] += (", "credited_T[span] = ("),
    Mutation(
        "step: the wrong baseline for answers",
        "_left_out_G(outcomes_G) if self.leave_one_out else _normalised_G(outcomes_G)",
        "_normalised_G(outcomes_G) if self.leave_one_out else _left_out_G(outcomes_G)",
    ),
    Mutation("step: a group of one is not 0", "        if len(group) < 2:\n            return base\n", ""),
    Mutation(
        "gae: the chain breaks at forks (next value 0)",
        "next_value = values_N[n + 1] if n + 1 < len(places) else 0.0",
        "next_value = values_N[n + 1] if n + 1 < len(places) and places[n + 1][0] == places[n][0] else 0.0",
    ),
    Mutation(
        "gae: the chain breaks at forks (nothing is carried)",
        "            number, position = places[n]\n",
        "            number, position = places[n]\n"
        "            if n + 1 < len(places) and places[n + 1][0] != number:\n"
        "                carried = rewards_N[n] + self.gamma * next_value - values_N[n]\n",
    ),
    Mutation("gae: no discount of the next value", "+ self.gamma * next_value", "+ next_value"),
    Mutation("gae: no discount of what is carried", "+ self.gamma * self.lam * carried", "+ self.lam * carried"),
    Mutation("gae: lambda is forgotten", "+ self.gamma * self.lam * carried", "+ self.gamma * carried"),
    Mutation("gae: no critic", "- values_N[n] + self", "+ self"),
    Mutation(
        "gae: the reward at the end of every segment",
        "        rewards_N[-1] += session.total - (sum(session.verdict_rewards) if self.per_step else 0.0)\n",
        "        for n, (number, _) in enumerate(places):\n"
        "            if n + 1 == len(places) or places[n + 1][0] != number:\n"
        "                rewards_N[n] += session.total - (sum(session.verdict_rewards) if self.per_step else 0.0)\n",
    ),
    Mutation("gae: the reward on the first token", "rewards_N[-1] +=", "rewards_N[0] +="),
    Mutation(
        "gae: the verdicts count twice",
        "session.total - (sum(session.verdict_rewards) if self.per_step else 0.0)",
        "session.total",
    ),
    Mutation(
        "gae: the chain forgets how verdicts are aggregated",
        "session.total - (sum(session.verdict_rewards) if self.per_step else 0.0)",
        "(session.outcome if self.per_step else session.total)",
    ),
    Mutation("gae: a verdict's reward on its first token", "rewards_T[verdict.end - 1]", "rewards_T[verdict.start]"),
    Mutation("gae: the return is the advantage", "= carried + values_N[n]", "= carried"),
    Mutation(
        "gae: advantages are written at the chain's places",
        "advantages[number][position] = carried",
        "advantages[number][position - places[0][1]] = carried",
    ),
    Mutation("gae: what was not sampled is in the chain", "segment.mask_T.nonzero().flatten()",
             "torch.arange(len(segment.mask_T))"),
]  # fmt: skip


def fails(module) -> bool:
    for check in CHECKS:
        for seed in SEEDS:
            try:
                check(module, seed)
            except (AssertionError, IndexError):
                return True
    return False


@pytest.mark.filterwarnings("ignore:std")  # of a group of one, in a fault
@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
def test_the_references_notice(fault):
    assert fails(mutated(credit, fault))


def test_the_references_have_nothing_against_a_faultless_copy():
    assert not fails(mutated(credit, Mutation("another comment", "Formulas: docs", "Formulas: see docs")))
