"""Statistics of records in the format of TensorFlow Metadata, which TFX and TFDV read.

A channel is the feature with the path `waveform`, `<number>`, the label that with the path `label`.
"""

from collections.abc import Mapping

import numpy as np
from tensorflow_metadata.proto.v0 import statistics_pb2

from tfseq.record_statistics import RecordStatistics

_BUCKETS = 64
_PERCENTILES = np.arange(101) / 100


def to_proto(
    statistics: Mapping[str, RecordStatistics],
) -> statistics_pb2.DatasetFeatureStatisticsList:
    """Returns the statistics of some splits.

    Every feature has two histograms: STANDARD of at most 65 equal buckets, and QUANTILES of 100
    buckets that end at the percentiles. What the format has no field for is in `custom_stats`:
    `num_infinite`, `skewness` and `excess_kurtosis`. Correlations are in `cross_features`.

    Args:
        statistics: By the name of the split.
    """
    return statistics_pb2.DatasetFeatureStatisticsList(
        datasets=[_dataset(name, of_split) for name, of_split in statistics.items()]
    )


def _dataset(name: str, statistics: RecordStatistics) -> statistics_pb2.DatasetFeatureStatistics:
    channels, _ = statistics.shape
    paths = [("waveform", str(number)) for number in range(1, channels + 1)] + [("label",)]
    dataset = statistics_pb2.DatasetFeatureStatistics(name=name, num_examples=statistics.records)
    for row, path in enumerate(paths):
        feature = dataset.features.add(type=statistics_pb2.FeatureNameStatistics.FLOAT)
        feature.path.step.extend(path)
        feature.num_stats.CopyFrom(_numeric(statistics, row))
        moments = statistics.moments(row)
        feature.custom_stats.add(name="num_infinite", num=statistics.infinite[row])
        feature.custom_stats.add(name="skewness", num=moments.skewness)
        feature.custom_stats.add(name="excess_kurtosis", num=moments.excess_kurtosis)
    correlation, covariance = statistics.correlation(), statistics.covariance()
    for one in range(len(paths)):
        for other in range(one + 1, len(paths)):
            cross = dataset.cross_features.add(count=statistics.records)
            cross.path_x.step.extend(paths[one])
            cross.path_y.step.extend(paths[other])
            cross.num_cross_stats.correlation = correlation[one, other]
            cross.num_cross_stats.covariance = covariance[one, other]
    return dataset


def _numeric(statistics: RecordStatistics, row: int) -> statistics_pb2.NumericStatistics:
    counts, moments = statistics.counts[row], statistics.moments(row)
    steps = statistics.shape[1]
    common = statistics_pb2.CommonStatistics(
        num_non_missing=statistics.records,
        min_num_values=steps,
        max_num_values=steps,
        avg_num_values=steps,
        tot_num_values=statistics.records * steps,
    )
    numeric = statistics_pb2.NumericStatistics(
        common_stats=common, num_zeros=statistics.zeros[row], mean=moments.mean
    )
    numeric.std_dev = moments.deviation
    if counts.total:
        numeric.min, numeric.max = counts.low, counts.high
        numeric.median = counts.quantiles(np.array([0.5]))[0]
    missing = int(statistics.not_a_number[row])
    kinds = statistics_pb2.Histogram
    standard = numeric.histograms.add(type=kinds.STANDARD, num_nan=missing)
    edges, sizes = counts.buckets(_BUCKETS)
    _fill(standard, edges, sizes)
    quantiles = numeric.histograms.add(type=kinds.QUANTILES, num_nan=missing)
    if counts.total:
        _fill(quantiles, counts.quantiles(_PERCENTILES), np.full(100, counts.total / 100))
    return numeric


def _fill(histogram: statistics_pb2.Histogram, edges: np.ndarray, sizes: np.ndarray) -> None:
    for low, high, size in zip(edges[:-1], edges[1:], sizes, strict=True):
        histogram.buckets.add(low_value=low, high_value=high, sample_count=size)
