"""A breaker lets a failing replica rest, tries it with one request, and trusts it again after one answer."""

from hypothesis import given
from hypothesis import strategies as st

from reseek.services.breaker import Breaker


class Clock:
    def __init__(self):
        self.now = 100.0

    def __call__(self):
        return self.now


def breaker(chance=0.5):
    """Rests of exactly 1, 2, 4, 8, 8, ... seconds after 3 failures."""
    clock = Clock()
    return Breaker(failures_to_open=3, rest_s=1.0, longest_rest_s=8.0, clock=clock, chance=lambda: chance), clock


def fail(breaker, times):
    for permit in [breaker.admit() for _ in range(times)]:
        permit.failure()


def test_it_opens_after_failures_in_a_row():
    one, clock = breaker()
    fail(one, 2)
    one.admit().success()
    fail(one, 2)
    assert one.admit() and one.ready_in == 0
    fail(one, 1)
    assert one.admit() is None and one.ready_in == 1


def test_rests_double_up_to_the_longest():
    one, clock = breaker()
    fail(one, 3)
    for rest in (1, 2, 4, 8, 8):
        assert one.ready_in == rest
        clock.now += rest - 0.01
        assert one.admit() is None
        clock.now += 0.01
        one.admit().failure()
    clock.now += 8
    one.admit().success()
    assert one.ready_in == 0 and one.admit()
    fail(one, 3)
    assert one.ready_in == 1  # a success forgets earlier rests


def test_one_trial_at_a_time():
    one, clock = breaker()
    fail(one, 3)
    clock.now += 1
    trial = one.admit()
    assert trial and one.admit() is None and one.ready_in > 0
    trial.abandon()  # its caller was cancelled: the next may try
    assert one.admit()


def test_late_failures_say_nothing_new():
    """64 requests were under way when the replica died."""
    one, clock = breaker()
    permits = [one.admit() for _ in range(64)]
    for permit in permits[:32]:
        permit.failure()
    assert one.ready_in == 1
    clock.now += 1
    trial = one.admit()
    for permit in permits[32:]:
        permit.failure()
    assert one.admit() is None
    trial.success()
    assert one.admit()


def test_clients_come_back_at_different_times():
    early, late = breaker(chance=0.0)[0], breaker(chance=0.999)[0]
    fail(early, 3)
    fail(late, 3)
    assert early.ready_in == 0.5 and 1.4 < late.ready_in < 1.5


@given(st.lists(st.sampled_from(["ask", "success", "failure", "abandon", "wait"]), max_size=60))
def test_after_its_longest_rest_it_is_tried_whatever_happened(events):
    one, clock = breaker()
    permits = []
    for event in events:
        if event == "ask":
            permits += [permit for permit in [one.admit()] if permit]
        elif event == "wait":
            clock.now += 0.7
        elif permits:
            getattr(permits.pop(0), event)()
    for permit in permits:
        permit.abandon()
    clock.now += 8
    assert one.admit()
