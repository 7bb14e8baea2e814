"""Statistics in one pass agree with numpy in float64 on all records at once."""

import numpy as np
import pytest

from tfseq.record_statistics import STRONG, VERY_STRONG, RecordStatistics

RECORDS, STEPS = 60, 200


def made():
    """Records of 6 channels: plain, far from 0, a copy with noise, skewed, constant, gaps."""
    random = np.random.default_rng(1)
    first = random.normal(size=(RECORDS, STEPS))
    waveforms = np.stack(
        [
            first,
            1e4 + random.normal(size=first.shape),
            -3 * first + random.normal(size=first.shape),
            random.gamma(0.5, size=first.shape),
            np.full(first.shape, 0.1),
            0.5 * first + random.normal(size=first.shape),
        ],
        axis=1,
    ).astype(np.float32)
    labels = (waveforms[:, 3] + random.normal(size=first.shape) + 100).astype(np.float32)
    waveforms[3, 5, 7:50] = np.nan
    waveforms[20, 5, 0] = np.inf
    waveforms[21, 5, :] = -np.inf
    labels[5, 9] = np.nan
    return waveforms, labels


def accumulated(waveforms, labels, batch=RECORDS):
    statistics = RecordStatistics()
    for start in range(0, len(labels), batch):
        statistics.add(waveforms[start : start + batch], labels[start : start + batch])
    return statistics


@pytest.fixture(scope="module")
def rows():
    """(rows, records, steps) float64, NaN where a value is not finite."""
    waveforms, labels = made()
    values = np.concatenate([waveforms, labels[:, None]], axis=1).astype(np.float64)
    return np.where(np.isfinite(values), values, np.nan).swapaxes(0, 1)


@pytest.fixture(scope="module", params=[RECORDS, 7, 1], ids="batches of {}".format)
def statistics(request):
    return accumulated(*made(), batch=request.param)


def test_values_that_are_not_finite_are_counted_and_left_out(statistics, rows):
    assert statistics.records == RECORDS
    assert statistics.shape == (6, STEPS)
    assert statistics.not_a_number.tolist() == [0, 0, 0, 0, 0, 43, 1]
    assert statistics.infinite.tolist() == [0, 0, 0, 0, 0, 1 + STEPS, 0]
    for counts, row in zip(statistics.counts, rows, strict=True):
        assert counts.total == np.isfinite(row).sum()
        assert (counts.low, counts.high) == (np.nanmin(row), np.nanmax(row))


def test_mean_deviation_and_shape_are_numpy_s(statistics, rows):
    for index, row in enumerate(rows):
        known, moments = row[np.isfinite(row)], statistics.moments(index)
        assert moments.mean == pytest.approx(known.mean(), rel=1e-12)
        if np.ptp(known):
            standard = (known - known.mean()) / known.std()
            assert moments.deviation == pytest.approx(known.std(), rel=1e-9)
            assert moments.skewness == pytest.approx(np.mean(standard**3), abs=1e-5)
            assert moments.excess_kurtosis == pytest.approx(np.mean(standard**4) - 3, abs=1e-5)


def test_a_constant_row_has_deviation_0_and_no_shape_and_no_correlation(statistics):
    moments = statistics.moments(4)
    assert moments.mean == np.float32(0.1)
    assert moments.deviation == 0
    assert np.isnan([moments.skewness, moments.excess_kurtosis]).all()
    assert np.isnan(statistics.correlation()[4]).all()
    assert statistics.correlations.count[4].sum() == 0


def test_correlation_and_covariance_are_numpy_s_over_the_steps_where_both_are_finite(
    statistics, rows
):
    correlation, covariance = statistics.correlation(), statistics.covariance()
    for one in range(len(rows)):
        for other in range(len(rows)):
            both = np.isfinite(rows[one]) & np.isfinite(rows[other])
            pair = np.stack([rows[one][both], rows[other][both]])
            expected = np.cov(pair, ddof=0)[0, 1]
            assert covariance[one, other] == pytest.approx(expected, abs=1e-8)
            if 4 not in (one, other):
                expected = np.corrcoef(pair)[0, 1]
                assert correlation[one, other] == pytest.approx(expected, abs=1e-9)


def test_correlation_within_records_is_summarized_over_those_without_gaps(statistics, rows):
    for one, other in ((0, 2), (0, 5), (3, 6)):
        whole = np.isfinite(rows[one] + rows[other]).all(axis=1)
        pairs = zip(rows[one][whole], rows[other][whole], strict=True)
        each = np.array([np.corrcoef(*pair)[0, 1] for pair in pairs])
        within, pair = statistics.correlations, (one, other)
        assert within.count[pair] == whole.sum()
        assert within.mean[pair] == pytest.approx(each.mean(), abs=1e-9)
        assert within.low[pair] == pytest.approx(each.min(), abs=1e-9)
        assert within.high[pair] == pytest.approx(each.max(), abs=1e-9)
        for threshold in (STRONG, VERY_STRONG):
            assert within.share_above(threshold)[pair] == np.mean(each > threshold)


def test_shape_within_records_tells_gaussian_values_from_others(statistics, rows):
    assert statistics.near_gaussian()[0] > 0.8
    assert statistics.near_gaussian()[3] == 0
    standard = rows[3] - rows[3].mean(axis=1, keepdims=True)
    standard /= rows[3].std(axis=1, keepdims=True)
    skewness, kurtosis = (standard**3).mean(axis=1), (standard**4).mean(axis=1) - 3
    assert statistics.skewness.mean[3] == pytest.approx(skewness.mean(), abs=1e-9)
    assert statistics.skewness.high[3] == pytest.approx(skewness.max(), abs=1e-9)
    assert statistics.excess_kurtosis.low[3] == pytest.approx(kurtosis.min(), abs=1e-9)


@pytest.mark.parametrize(("offset", "deviation"), [(1e4, 1), (-1e7, 5), (3e4, 0.1)])
def test_huge_offsets_do_not_cost_precision(offset, deviation):
    random = np.random.default_rng(2)
    waveforms = (offset + deviation * random.normal(size=(50, 2, 300))).astype(np.float32)
    labels = waveforms[:, 0] / 2
    statistics = accumulated(waveforms, labels, batch=8)
    known = waveforms[:, 0].astype(np.float64)
    moments = statistics.moments(0)
    assert moments.mean == pytest.approx(known.mean(), rel=1e-14)
    assert moments.deviation == pytest.approx(known.std(), rel=1e-9)
    assert moments.excess_kurtosis == pytest.approx(
        np.mean((known - known.mean()) ** 4) / known.var() ** 2 - 3, abs=1e-6
    )
    assert statistics.correlation()[0, 2] == pytest.approx(1, abs=1e-9)
    assert statistics.correlations.low[0, 2] == pytest.approx(1, abs=1e-9)


def test_a_first_value_far_from_all_others_costs_little_precision():
    random = np.random.default_rng(3)
    waveforms = random.normal(size=(50, 1, 300)).astype(np.float32)
    waveforms[0, 0, 0] = 1e6
    known = waveforms.astype(np.float64)
    moments = accumulated(waveforms, waveforms[:, 0], batch=8).moments(0)
    assert moments.mean == pytest.approx(known.mean(), rel=1e-9)
    assert moments.deviation == pytest.approx(known.std(), rel=1e-9)


def test_a_row_without_a_finite_value_has_no_statistics():
    waveforms = np.full((3, 1, 5), np.nan, np.float32)
    statistics = accumulated(waveforms, np.arange(15, dtype=np.float32).reshape(3, 5))
    assert np.isnan(statistics.moments(0).mean)
    assert np.isnan(statistics.correlation()[0]).all()
    assert statistics.moments(1).mean == 7
