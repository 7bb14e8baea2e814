"""Statistics of a data set: printed as tables, and written as TFX and TFDV read them."""

import command
import numpy as np
import pytest
import tensorflow_datasets as tfds
from tensorflow_metadata.proto.v0 import statistics_pb2

from tfseq import statistics_gen, statistics_proto, statistics_table
from tfseq.example_gen import Split
from tfseq.record_statistics import RecordStatistics

FEATURES = [*(["waveform", str(number)] for number in range(1, 5)), ["label"]]


@pytest.fixture(scope="module")
def rows(builder):
    """(rows, values) float64 of the split train, read by TFDS itself."""
    examples = list(tfds.as_numpy(builder.as_dataset(split="train")))
    waveforms = np.stack([example["waveform"] for example in examples], axis=1)
    labels = np.stack([example["label"] for example in examples])
    return np.concatenate([waveforms, labels[None]]).reshape(5, -1).astype(np.float64)


@pytest.fixture(scope="module")
def statistics(builder):
    return statistics_gen.generate(Split(builder, "train"))


@pytest.fixture(scope="module")
def written(statistics, tmp_path_factory):
    """What is read back from FeatureStats.pb."""
    folder = tmp_path_factory.mktemp("statistics")
    statistics_gen.write(statistics, "train", folder)
    serialized = (folder / "Split-train" / "FeatureStats.pb").read_bytes()
    (dataset,) = statistics_pb2.DatasetFeatureStatisticsList.FromString(serialized).datasets
    return dataset


def test_a_split_s_statistics_are_those_of_all_its_records(statistics, rows):
    assert statistics.records == 50
    for index, row in enumerate(rows):
        moments = statistics.moments(index)
        assert moments.mean == pytest.approx(row.mean(), abs=1e-12)
        assert moments.deviation == pytest.approx(row.std(), abs=1e-12)
    np.testing.assert_allclose(statistics.correlation(), np.corrcoef(rows), atol=1e-9)


def test_the_written_statistics_name_the_split_its_records_and_features(written):
    assert (written.name, written.num_examples) == ("train", 50)
    assert [list(feature.path.step) for feature in written.features] == FEATURES
    for feature in written.features:
        assert feature.type == statistics_pb2.FeatureNameStatistics.FLOAT
        common = feature.num_stats.common_stats
        assert (common.num_non_missing, common.tot_num_values) == (50, 50 * 4000)


def test_the_written_numbers_are_numpy_s(written, rows):
    for feature, row in zip(written.features, rows, strict=True):
        numbers = feature.num_stats
        near = 1e-5 * np.ptp(row)
        assert numbers.mean == pytest.approx(row.mean(), abs=1e-12)
        assert numbers.std_dev == pytest.approx(row.std(), abs=1e-12)
        assert (numbers.min, numbers.max) == (row.min(), row.max())
        assert numbers.median == pytest.approx(np.median(row), abs=near)
        assert numbers.num_zeros == np.sum(row == 0)
        custom = {each.name: each.num for each in feature.custom_stats}
        standard = (row - row.mean()) / row.std()
        assert custom["skewness"] == pytest.approx(np.mean(standard**3), abs=1e-9)
        assert custom["excess_kurtosis"] == pytest.approx(np.mean(standard**4) - 3, abs=1e-9)
        assert custom["num_infinite"] == 0


def test_the_written_histograms_hold_all_values(written, rows):
    for feature, row in zip(written.features, rows, strict=True):
        standard, quantiles = feature.num_stats.histograms
        assert standard.type == statistics_pb2.Histogram.STANDARD
        edges = [standard.buckets[0].low_value, *(b.high_value for b in standard.buckets)]
        assert [b.sample_count for b in standard.buckets] == np.histogram(row, edges)[0].tolist()
        assert 32 <= len(standard.buckets) <= 65
        assert quantiles.type == statistics_pb2.Histogram.QUANTILES
        ends = [b.high_value for b in quantiles.buckets]
        exact = np.percentile(row, np.arange(1, 101))
        np.testing.assert_allclose(ends, exact, rtol=0, atol=1e-5 * np.ptp(row))


def test_the_written_correlations_are_numpy_s(written, rows):
    names = [tuple(path) for path in FEATURES]
    correlation, covariance = np.corrcoef(rows), np.cov(rows, ddof=0)
    assert len(written.cross_features) == 10
    for cross in written.cross_features:
        pair = names.index(tuple(cross.path_x.step)), names.index(tuple(cross.path_y.step))
        assert cross.num_cross_stats.correlation == pytest.approx(correlation[pair], abs=1e-6)
        assert cross.num_cross_stats.covariance == pytest.approx(covariance[pair], abs=1e-6)


def test_values_that_are_missing_are_written_as_such():
    statistics = RecordStatistics()
    waveforms = np.array([[[0, 1, np.nan, np.nan]], [[2, np.inf, 3, 4]]], np.float32)
    statistics.add(waveforms, np.full((2, 4), np.nan, np.float32))
    proto = statistics_proto.to_proto({"all": statistics})
    channel, label = proto.datasets[0].features
    assert [histogram.num_nan for histogram in channel.num_stats.histograms] == [2, 2]
    assert next(each.num for each in channel.custom_stats if each.name == "num_infinite") == 1
    assert (channel.num_stats.mean, channel.num_stats.max) == (2, 4)
    assert label.num_stats.histograms[0].num_nan == 8
    assert not label.num_stats.histograms[0].buckets


def test_the_table_says_the_numbers(statistics, rows):
    lines = statistics_table.table(statistics, "train").splitlines()
    assert lines[0] == "train: 50 records, 4 channels x 4000 steps"
    values = next(line for line in lines if line.split()[:2] == ["channel", "1"]).split()[2:]
    assert values[:3] == ["200000", "0", "0"]
    assert float(values[3]) == pytest.approx(rows[0].mean(), rel=1e-4)
    assert float(values[4]) == pytest.approx(rows[0].std(), rel=1e-4)
    assert float(values[9]) == pytest.approx(np.median(rows[0]), rel=1e-4)
    pair = next(line for line in lines if line.strip().startswith("channel 1, channel 2"))
    assert pair.split()[4] == "50"
    assert float(pair.split()[5]) == pytest.approx(statistics.correlations.mean[0, 1], abs=1e-4)


def test_the_table_of_rows_without_values_says_so():
    statistics = RecordStatistics()
    statistics.add(np.full((1, 1, 3), np.nan, np.float32), np.zeros((1, 3), np.float32))
    channel = next(
        line
        for line in statistics_table.table(statistics, "train").splitlines()
        if line.strip().startswith("channel 1")
    )
    assert channel.split()[2:5] == ["0", "3", "0"]
    assert set(channel.split()[5:]) == {"-"}


def test_the_command_prints_and_writes_the_splits_that_are_named(builder, data_dir, tmp_path):
    finished = command.run(
        "statistics_gen",
        "--dataset=simulated_emg",
        *command.RECORDS,
        f"--data_dir={data_dir}",
        "--splits=validation,train[:10%]",
        "--output=statistics",
        cwd=tmp_path,
    ).check()
    titles = [line for line in finished.stdout.splitlines() if line.startswith("simulated_emg, ")]
    assert titles == [
        "simulated_emg, validation: 20 records, 4 channels x 4000 steps",
        "simulated_emg, train[:10%]: 5 records, 4 channels x 4000 steps",
    ]
    folders = {path.name for path in (tmp_path / "statistics").iterdir()}
    assert folders == {"Split-validation", "Split-train[:10%]"}
    for folder in (tmp_path / "statistics").iterdir():
        assert (folder / "statistics.txt").read_text().strip() in finished.stdout
        proto = statistics_pb2.DatasetFeatureStatisticsList.FromString(
            (folder / "FeatureStats.pb").read_bytes()
        )
        assert proto.datasets[0].num_examples in (5, 20)


@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        ((), "--dataset is missing"),
        (("--dataset=simulated_emg", "--output=file"), "--output: cannot write"),
        (("--dataset=simulated_emg", "--config.dataset.strid=5"), "did you mean --config.dataset"),
        (("--dataset=simulated_emg", "train"), "unexpected argument 'train'"),
    ],
)
def test_wrong_arguments_are_refused_before_tensorflow_is_imported(arguments, found, tmp_path):
    (tmp_path / "file").touch()
    finished = command.run("statistics_gen", *arguments, cwd=tmp_path)
    assert found in finished.refusal()


def test_a_split_that_is_not_there_is_refused_before_any_is_read(builder, data_dir, tmp_path):
    finished = command.run(
        "statistics_gen",
        "--dataset=simulated_emg",
        *command.RECORDS,
        f"--data_dir={data_dir}",
        "--splits=train,dev",
        cwd=tmp_path,
    )
    assert "has no split 'dev'" in finished.refusal()
    assert "train:" not in finished.stdout
