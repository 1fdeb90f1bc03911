"""The test and interval of two rates beside scipy, and how much counts scatter."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binomtest, false_discovery_control, poisson_means_test

from geo.compare import compare_rates, control_discoveries, find_dispersion

counts = st.integers(0, 400)
days = st.floats(0.5, 400)


@given(counts, counts, days, days)
@settings(max_examples=150, deadline=None)
def test_p_and_interval_are_those_of_the_conditional_binomial_test(now, then, one, two):
    rates = compare_rates([now], [then], one, two)
    if now + then == 0:
        assert np.isnan(rates.p[0])
        return
    share = one / (one + two)
    tails = [binomtest(now, now + then, share, side).pvalue for side in ("less", "greater")]
    assert rates.p[0] == pytest.approx(min(1, 2 * min(tails)), rel=1e-6, abs=1e-300)
    interval = binomtest(now, now + then).proportion_ci(0.95, "exact")
    odds = two / one
    assert rates.low[0] == pytest.approx(interval.low / (1 - interval.low) * odds, rel=1e-6)
    if then:
        high = interval.high / (1 - interval.high) * odds
        assert rates.high[0] == pytest.approx(high, rel=1e-6)
        assert rates.low[0] <= rates.ratio[0] <= rates.high[0]
    else:
        assert np.isinf(rates.high[0])


@given(counts, counts, days, days, st.floats(1, 6))
@settings(max_examples=150, deadline=None)
def test_interval_and_p_agree_and_turn_round_with_the_periods(now, then, one, two, scatter):
    rates = compare_rates([now], [then], one, two, dispersion=scatter)
    if now + then == 0 or min(abs(rates.p[0] - 0.05), 1) < 1e-9:
        return
    holds_one = rates.low[0] <= 1 <= rates.high[0]
    assert holds_one == (rates.p[0] > 0.05)
    back = compare_rates([then], [now], two, one, dispersion=scatter)
    assert back.p[0] == pytest.approx(rates.p[0], rel=1e-9)
    if now and then:
        assert back.low[0] == pytest.approx(1 / rates.high[0], rel=1e-6)
    wider = compare_rates([now], [then], one, two, dispersion=scatter * 2)
    assert wider.p[0] >= rates.p[0] - 1e-12


@pytest.mark.parametrize(("now", "then"), [(13, 4), (30, 12), (55, 90), (7, 7), (200, 160)])
def test_what_is_clear_is_clear_to_the_e_test_too(now, then):
    """The conditional test is the stricter one (Krishnamoorthy and Thomson 2004)."""
    ours = compare_rates([now], [then], 30, 31).p[0]
    theirs = poisson_means_test(now, 30, then, 31).pvalue
    assert ours >= theirs * 0.98


def test_five_cases_are_too_few_and_six_may_be_enough():
    """All six in one of two equal periods: p = 2 / 2**6 = 0.031; of five: 0.0625."""
    rates = compare_rates([5, 6], [0, 0], 30, 30)
    assert rates.too_few.tolist() == [True, False]
    assert rates.p == pytest.approx([2 / 32, 2 / 64])
    assert np.isinf(rates.ratio).all()


def test_scatter_of_two_makes_two_cases_count_as_one():
    once = compare_rates([20], [10], 30, 30)
    doubled = compare_rates([40], [20], 30, 30, dispersion=2)
    assert doubled.p == pytest.approx(once.p)
    assert doubled.low == pytest.approx(once.low)


def test_a_period_without_days_says_nothing():
    rates = compare_rates([3], [4], 0, 30)
    assert np.isnan(rates.p).all()
    assert np.isnan(rates.ratio).all()


def test_under_no_change_one_in_twenty_or_fewer_is_called_clear():
    rng = np.random.default_rng(7)
    for mean in (4, 12, 60):
        pairs = rng.poisson(mean, (2, 20_000))
        rates = compare_rates(pairs[0], pairs[1], 30, 30)
        assert np.nanmean(rates.p <= 0.05) <= 0.052
        inside = (rates.low <= 1) & (rates.high >= 1)
        assert inside[~np.isnan(rates.p)].mean() >= 0.948


def test_counts_that_scatter_are_calm_once_their_scatter_is_known():
    """Gamma-Poisson counts with variance four times the mean, 53 weeks; then two months of them."""
    rng = np.random.default_rng(11)
    weeks = rng.negative_binomial(10, 1 / 4, (400, 53)).astype(float)
    shared, own, pairs = find_dispersion(weeks, np.full(53, 7.0))
    assert pairs == 52
    assert shared == pytest.approx(4, rel=0.1)
    assert np.nanmedian(own) == pytest.approx(4, rel=0.1)
    months = rng.negative_binomial(40, 1 / 4, (2, 20_000))
    plain = np.mean(compare_rates(months[0], months[1], 28, 28).p <= 0.05)
    allowed = np.mean(compare_rates(months[0], months[1], 28, 28, dispersion=shared).p <= 0.05)
    assert plain > 0.2
    assert allowed < 0.065


def test_seasons_and_a_jump_are_no_scatter():
    rng = np.random.default_rng(5)
    season = 40 + 30 * np.sin(np.arange(53) / 53 * 2 * np.pi)
    weeks = rng.poisson(np.tile(season, (60, 1))).astype(float)
    weeks[:5, 30:] += rng.poisson(300, (5, 23))
    shared, _, _ = find_dispersion(weeks, np.full(53, 7.0))
    assert shared < 1.25
    # The variance of whole rows would have said several times that.
    assert (weeks.var(axis=1) / weeks.mean(axis=1)).mean() > 5


def test_short_weeks_are_not_scatter():
    days = np.where(np.arange(53) % 4 == 0, 3.0, 7.0)
    rng = np.random.default_rng(3)
    weeks = rng.poisson(np.tile(days * 6, (200, 1))).astype(float)
    assert find_dispersion(weeks, days)[0] == pytest.approx(1, abs=0.08)


def test_few_weeks_or_gaps_give_no_scatter():
    weeks = np.arange(20, dtype=float).reshape(1, 20)
    days = np.tile([7.0, 0.0], 10)
    assert find_dispersion(weeks, days)[2] == 0
    assert find_dispersion(weeks[:, :4], np.full(4, 7.0))[0] == 1


@given(st.lists(st.floats(0, 1), min_size=1, max_size=40))
def test_q_values_are_those_of_scipy_and_missing_ones_take_no_part(p):
    values = np.array(p)
    assert control_discoveries(values) == pytest.approx(false_discovery_control(values))
    holed = np.insert(values, 0, np.nan)
    q = control_discoveries(holed)
    assert np.isnan(q[0])
    assert q[1:] == pytest.approx(control_discoveries(values))
