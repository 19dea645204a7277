from itertools import combinations
from math import isclose

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rr_harness.metrics import best_of_k, pass_at_k, recovered_gap

outcomes = st.lists(st.booleans(), min_size=1, max_size=8)
# Few distinct scores, so that ties are common.
pools = st.lists(st.tuples(st.integers(0, 3).map(float), st.booleans()), min_size=1, max_size=8)


@given(outcomes, st.integers(1, 8))
def test_pass_at_k_is_the_mean_over_all_subsets(passed, k):
    if k > len(passed):
        with pytest.raises(ValueError, match="needs 1 <= k <= n"):
            pass_at_k(len(passed), sum(passed), k)
        return
    subsets = list(combinations(passed, k))
    expected = sum(any(subset) for subset in subsets) / len(subsets)
    assert isclose(pass_at_k(len(passed), sum(passed), k), expected)


def _best(subset):
    top = max(score for score, _ in subset)
    tied = [outcome for score, outcome in subset if score == top]
    return sum(tied) / len(tied)


@given(pools, st.integers(1, 8))
def test_best_of_k_is_the_mean_over_all_subsets_ties_shared(pool, k):
    scores, passed = zip(*pool, strict=True)
    if k > len(pool):
        with pytest.raises(ValueError, match="needs 1 <= k <= n"):
            best_of_k(scores, passed, k)
        return
    subsets = list(combinations(pool, k))
    expected = sum(map(_best, subsets)) / len(subsets)
    assert isclose(best_of_k(scores, passed, k), expected, abs_tol=1e-12)


@given(outcomes, st.data())
def test_with_the_outcomes_as_scores_it_is_pass_at_k(passed, data):
    k = data.draw(st.integers(1, len(passed)))
    expected = pass_at_k(len(passed), sum(passed), k)
    assert isclose(best_of_k([float(p) for p in passed], passed, k), expected, abs_tol=1e-12)


@given(pools, st.randoms())
def test_the_order_of_candidates_does_not_matter(pool, random):
    shuffled = random.sample(pool, len(pool))
    for k in range(1, len(pool) + 1):
        first = best_of_k(*zip(*pool, strict=True), k)
        assert isclose(first, best_of_k(*zip(*shuffled, strict=True), k), abs_tol=1e-12)


@given(pools)
def test_one_of_one_is_the_mean_and_equal_scores_are_random(pool):
    scores, passed = zip(*pool, strict=True)
    mean = sum(passed) / len(passed)
    assert isclose(best_of_k(scores, passed, 1), mean)
    for k in range(1, len(pool) + 1):
        assert isclose(best_of_k([0.0] * len(pool), passed, k), mean, abs_tol=1e-12)


def test_numbers_too_large_for_floats_are_fine():
    assert isclose(pass_at_k(3000, 1, 1500), 0.5)
    assert isclose(best_of_k(list(range(3000)), [True] + [False] * 2999, 1500), 0.0, abs_tol=1e-9)


def test_more_than_n_candidates_say_nothing():
    with pytest.raises(ValueError, match="pass@10 needs 1 <= k <= n, got n=5"):
        pass_at_k(5, 0, 10)
    with pytest.raises(ValueError, match="2 scores for 1 outcomes"):
        best_of_k([1.0, 2.0], [True], 1)


def test_recovered_gap():
    assert isclose(recovered_gap(0.5, 0.2, 0.8), 0.5)
    assert isclose(recovered_gap(0.1, 0.2, 0.8), -1 / 6)
    assert recovered_gap(0.2, 0.2, 0.2) is None
