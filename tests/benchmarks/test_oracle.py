"""The oracle benchmark's workload, and the benchmark as a command."""

import json
import subprocess
import sys

import pytest

from benchmarks.oracle.workload import make_workload
from reseek.config.resolvers import CONF
from reseek.questions.record import Question
from tests.support.searches import Echo

ASKED = [
    Question(
        id=str(i), question=f"question number {i} of them all", golden_answers=("a",), supporting_titles=(f"T{i}",)
    )
    for i in range(6)
]


def workload(**options):
    return make_workload(ASKED, Echo(), **{"sessions": 5, "turns": 4, "top_k": 2, "seed": 1} | options)


def test_a_workload_is_of_groups_whose_sessions_search_alike():
    made = workload()
    assert [session.question for session in made] == [question for question in ASKED for _ in range(5)]
    assert {len(session.observations) for session in made} == {1, 2, 3, 4}
    seen = [observation for session in made for observation in session.observations]
    assert len(set(seen)) < 0.7 * len(seen)
    assert sum("about question" in observation.text for observation in seen) > len(seen) / 3
    assert made == workload() and made != workload(seed=2)


@pytest.mark.integration
def test_the_command():
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.oracle", "--quick", "--groups", "3"],
        cwd=CONF.parent,
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout.splitlines()[-1])
    assert result["verdicts_equal"] is True and result["verdicts_different"] == 0
    assert result["distinct_pairs"] == result["scored_pairs"] < result["pairs"]
    assert result["largest_difference"] < 1e-5
    assert result["goal_met"] == (result["vs_one_call_each"] >= 5)
