"""Yes and No are balanced at each position; never more is chosen than there is."""

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from reseek.agent.verdict import Verdict
from reseek.sft.balance import balanced, trained_guesses
from reseek.sft.outcomes import Outcome

Y, N, U = Verdict.YES, Verdict.NO, None
SHARES = st.floats(0, 1)
ENDING = st.sampled_from([(Y,), (N,), (N, Y), (N, N), (N, N, Y), (N, N, N), (U,), (N, U), ()])
ANY = st.lists(st.sampled_from([Y, N, U]), max_size=3).map(tuple)


def outcomes(labels):
    return [Outcome(one, False) for one in labels]


def off(chosen, position, share, prefix=None):
    """By how many episodes the number of Yes at a position differs from the wanted."""
    at = [o.labels[position] for o in chosen if len(o.labels) > position and prefix in (None, o.labels[:position])]
    counts = Counter(at)
    return abs(counts[Y] - share * (counts[Y] + counts[N]))


@settings(max_examples=200, deadline=None)
@given(st.lists(ENDING, max_size=60), SHARES, st.integers(0, 3))
def test_each_position_has_the_share_where_yes_ends_the_search(labels, share, seed):
    given_outcomes = outcomes(labels)
    kept = balanced(given_outcomes, share, seed)
    assert kept == balanced(given_outcomes, share, seed)
    assert kept <= set(range(len(labels)))
    chosen = [given_outcomes[index] for index in kept]
    assert all(off(chosen, position, share) <= 1 for position in range(3))
    without = [index for index, one in enumerate(labels) if not one or one[0] is U]
    assert set(without) <= kept, "what has no label is never left out for the balance"


@settings(max_examples=200, deadline=None)
@given(st.lists(ANY, max_size=60), SHARES)
def test_each_node_has_the_share_where_search_goes_on(labels, share):
    given_outcomes = outcomes(labels)
    chosen = [given_outcomes[index] for index in balanced(given_outcomes, share, 0)]
    prefixes = {one[:position] for one in labels for position in range(3)}
    assert all(off(chosen, len(prefix), share, prefix) <= 1 for prefix in prefixes)


def test_as_many_as_the_share_allows():
    assert len(balanced(outcomes([(Y,)] * 30 + [(N,)] * 10), 0.5, 0)) in (20, 21)
    assert len(balanced(outcomes([(Y,)] * 30 + [(N,)] * 10), 0.75, 0)) in (40, 41)
    assert len(balanced(outcomes([(Y,)] * 30), 0.5, 0)) <= 1
    assert balanced([], 0.5, 0) == frozenset()
    assert len(balanced(outcomes([(Y,)] * 8), 1.0, 0)) == 8
    one, other = (balanced(outcomes([(Y,)] * 30 + [(N,)] * 10), 0.5, seed) for seed in (0, 1))
    assert one != other


@given(st.integers(0, 30), st.integers(0, 30), SHARES, st.booleans())
def test_guesses_never_exceed_their_share(guesses, others, share, whole):
    chosen = trained_guesses(range(guesses), others, share, whole, 0)
    kept = others + (guesses if whole else len(chosen))
    assert chosen <= set(range(guesses)) and len(chosen) <= share * kept + 1e-6
