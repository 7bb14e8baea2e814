"""Counts on a grid agree with numpy on the values themselves."""

import itertools

import numpy as np
import pytest

from tfseq.value_counts import ValueCounts, divergence

SHARES = np.array([0, 0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 1])
RANDOM = np.random.default_rng(0)
NORMAL = RANDOM.normal(size=100_001)
VALUES = {
    "normal": NORMAL,
    "far from 0": 1e4 + NORMAL,
    "far below 0": -1e7 + 3 * NORMAL,
    "around a power of two": 8192 + NORMAL,
    "constant": np.full(999, 0.1),
    "zero": np.zeros(10),
    "one value": np.array([-5.25]),
    "two values": np.array([1.0, 2.0]),
    "half of it zero": np.r_[np.zeros(1000), NORMAL[:1000]],
    "with an outlier": np.r_[NORMAL[:50_000], 1e30],
    "as wide as float32": np.r_[-3.4e38, NORMAL, 3.4e38],
    "smaller than normal numbers": NORMAL[:5000] * 1e-42,
    "growing": NORMAL * np.linspace(1e-9, 1, NORMAL.size) ** 8,
}


def counted(values, parts=1):
    counts = ValueCounts()
    for part in np.array_split(values, parts):
        counts.add(part)
    return counts


@pytest.fixture(params=VALUES)
def values(request):
    return VALUES[request.param].astype(np.float32)


@pytest.mark.parametrize("parts", [1, 7])
def test_quantiles_are_numpy_s_within_a_hundred_thousandth_of_the_range(values, parts):
    counts = counted(values, parts)
    exact = np.quantile(values.astype(np.float64), SHARES)
    assert np.abs(counts.quantiles(SHARES) - exact).max() <= 1e-5 * np.ptp(values.astype(float))
    assert (counts.low, counts.high) == (values.min(), values.max())
    assert counts.total == values.size


def test_a_bucket_holds_exactly_the_values_from_its_lower_to_below_its_upper_edge(values):
    edges, sizes = counted(values, 5).buckets(40)
    expected = [
        np.sum((values >= low) & (values < high)) for low, high in itertools.pairwise(edges)
    ]
    assert sizes.tolist() == expected
    assert sizes.sum() == values.size
    assert 1 <= len(sizes) <= 41
    np.testing.assert_allclose(np.diff(edges), edges[1] - edges[0])


def test_memory_is_bounded_whatever_the_range():
    for values in VALUES.values():
        assert counted(values.astype(np.float32), 3)._counts.nbytes <= (4 << 20) + 16


def test_few_float32_numbers_are_counted_each_by_itself():
    values = (1e4 + NORMAL).astype(np.float32).astype(np.float64)
    np.testing.assert_array_equal(counted(values).quantiles(SHARES), np.quantile(values, SHARES))


def test_nothing_counted_has_no_quantiles_and_no_buckets():
    counts = counted(np.zeros(0))
    assert np.isnan(counts.quantiles(SHARES)).all()
    assert counts.buckets(10)[1].size == 0
    assert np.isnan(divergence(counts, counted(NORMAL)))


def test_the_same_values_do_not_diverge_and_others_diverge_by_one_bit():
    assert divergence(counted(NORMAL), counted(NORMAL[::-1], 3)) == 0
    assert divergence(counted(NORMAL), counted(NORMAL + 100)) == pytest.approx(1)
    assert divergence(counted(np.zeros(9)), counted(np.ones(99))) == pytest.approx(1)


def test_divergence_is_that_of_the_densities():
    middle = np.linspace(-12, 12, 200_001)
    p, q = (np.exp(-((middle - mean) ** 2) / 2) for mean in (0, 0.75))
    p, q = p / p.sum(), q / q.sum()
    exact = (p * np.log2(2 * p / (p + q)) + q * np.log2(2 * q / (p + q))).sum() / 2
    one, other = counted(NORMAL), counted(RANDOM.normal(size=100_000) + 0.75)
    assert divergence(one, other) == pytest.approx(exact, rel=0.05)
    assert divergence(other, one) == pytest.approx(divergence(one, other))


def test_divergence_does_not_change_with_the_unit_or_an_outlier():
    other = 1.5 * RANDOM.normal(size=100_000)
    expected = divergence(counted(NORMAL), counted(other))
    assert expected > 0.03
    assert divergence(counted(1e-3 * NORMAL), counted(1e-3 * other)) == pytest.approx(
        expected, rel=0.01
    )
    assert divergence(counted(np.r_[NORMAL, 500.0]), counted(other)) == pytest.approx(
        expected, rel=0.01
    )
