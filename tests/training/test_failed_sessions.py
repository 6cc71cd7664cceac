"""When a run stops because too many sessions had no score."""

import pytest

from reseek.training.launch import last_exception
from reseek.training.monitor.failed_sessions import ScoringStopped, check_share


@pytest.mark.parametrize(
    ("failed", "most", "stops"), [(0, 0.0, False), (1, 0.0, True), (2, 0.2, False), (3, 0.2, True), (10, 1.0, False)]
)
def test_more_than_the_share_stops(failed, most, stops):
    causes = ["no answer"] * failed
    if not stops:
        check_share(causes, 10, 4, most)
        return
    with pytest.raises(ScoringStopped, match=f"scoring failed for {failed} of 10 sessions of step 4"):
        check_share(causes, 10, 4, most)


def test_the_commonest_cause_is_named():
    with pytest.raises(ScoringStopped, match="oracle.most_failed=0.2 allows; 2 of them: no answer in 300 s") as caught:
        check_share(["no answer in 300 s", "status 400", "no answer in 300 s"], 5, 1, 0.2)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("traceback", "line"),
    [
        (
            "ray.exceptions.RayTaskError(ScoringStopped): ray::Runner.run()\n  File x\n"
            "reseek.training.monitor.failed_sessions.ScoringStopped: scoring failed for 3 of 10",
            "scoring failed for 3 of 10",
        ),
        ("ValueError: first\n\nDuring handling\nreseek.a.PreflightFailed: no legal action", "no legal action"),
        (
            "Traceback\ntorch.OutOfMemoryError: out of memory\n\n  see below",
            "torch.OutOfMemoryError: out of memory see below",
        ),
        ("nothing like it", "nothing like it"),
        ("", "no reason given"),
    ],
)
def test_a_traceback_s_last_exception_is_one_line_and_our_own_classes_go_without_their_names(traceback, line):
    assert last_exception(traceback) == line
