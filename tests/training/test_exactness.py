"""Gaps are over trained tokens only, by the segment's number."""

import math

import pytest
import torch

from reseek.training.monitor.exactness import probability_gaps


def test_gaps_by_segment():
    keys = ["q_0_0", "q_0_1", "q_1_0", "q_2_0", "q_2_1", "q_2_7", "pad_0_0"]
    mask = torch.tensor([0, 1, 1])
    masks = [mask] * 6 + [torch.zeros(1)]
    rollout = [torch.tensor([5.0, math.log(0.5), math.log(0.25)])] * 6 + [torch.zeros(1)]
    trainer = [tensor.clone() for tensor in rollout]
    trainer[0][0] = -3.0  # not trained: counts for nothing
    trainer[2][1] = math.log(0.4)
    trainer[1][2] = math.log(0.26)
    trainer[4][2] = math.log(0.22)
    trainer[5][1] = math.log(0.9)
    trainer[6][0] = -9.0
    gaps = probability_gaps(keys, masks, rollout, trainer, [False] * 6 + [True])
    assert gaps == {
        "gap/segment_0": pytest.approx(0.1, abs=1e-6),
        "gap/segment_1": pytest.approx(0.03, abs=1e-6),
        "gap/segment_4": pytest.approx(0.4, abs=1e-6),  # the eighth segment stands with the fifth
        "gap/after_fork": pytest.approx(0.4, abs=1e-6),
        "gap/forked_trajectories": 2.0,
    }


def test_without_a_fork_nothing_is_said_of_forks():
    one = [torch.tensor([-1.0])]
    assert probability_gaps(["q_0_0"], [torch.ones(1)], one, one, [False]) == {
        "gap/segment_0": 0.0,
        "gap/forked_trajectories": 0.0,
    }
