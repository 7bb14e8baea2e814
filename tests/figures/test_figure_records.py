"""Records are chosen by position and streamed; the axes are named after the data set."""

import json
import shutil

import numpy as np
import pytest
import tensorflow_datasets as tfds

from tfseq import datasets
from tfseq.errors import UserError
from tfseq.example_gen import Split
from tfseq.figures import drawing, records, run


@pytest.fixture(scope="module")
def split(builder):
    return Split(builder, "train")


@pytest.fixture(scope="module")
def stored(builder):
    return list(tfds.as_numpy(builder.as_dataset(split="train")))


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """record_sets of 2 channels and 1000 steps; a channel of the first record is constant."""
    folder = tmp_path_factory.mktemp("sets")
    random = np.random.default_rng(0)
    x = random.normal(size=(40, 2, 1000)).astype(np.float32)
    x[:, 1] = 0.25
    y = random.uniform(0, 4, (40, 1000)).astype(np.float32)
    np.savez(folder / "set1.npz", x=x, y=y)
    return datasets.load("record_sets", data_dir=folder / "data", manual_dir=folder)


@pytest.fixture(scope="module")
def finished(trained):
    """The workdir of a finished run."""
    work = trained("cnn").result()
    work.finished.check()
    return work


def same(record, example):
    np.testing.assert_array_equal(record.waveform, example["waveform"])
    np.testing.assert_array_equal(record.label, example["label"])
    assert record.group == example["group"].decode()
    assert record.title.endswith(f"({example['record_id'].decode()})")


def test_records_are_those_at_their_positions_in_the_split(split, stored):
    found = records.read(split, {3, 40})
    assert set(found) == {3, 40}
    for position, record in found.items():
        same(record, stored[position])
        assert record.where.startswith(f"simulated_emg, train, record {position} (")


def test_positions_count_from_the_start_of_a_part_of_a_split(builder, stored):
    (record,) = records.read(Split(builder, "train[10:20]"), {2}).values()
    same(record, stored[12])


def test_a_sweep_finds_the_records_and_every_n_th_step_of_all_labels(split, stored):
    found, thinned = records.sweep(split, (49, 0))
    same(found[0], stored[0])
    same(found[49], stored[49])
    labels = np.array([example["label"] for example in stored])
    np.testing.assert_array_equal(thinned.values, labels[:, thinned.steps])
    assert (len(thinned.steps), thinned.steps[1], thinned.num_records) == (500, 8, 50)


@pytest.mark.parametrize(("name", "expected"), [("train", (0, 15)), ("train[:7]", (0, 6))])
def test_the_records_drawn_are_0_and_15_or_the_last(builder, name, expected):
    assert records.choose(None, Split(builder, name)) == expected


def test_two_records_can_be_chosen_in_any_order(split):
    assert records.choose("7, 0", split) == (7, 0)


@pytest.mark.parametrize("text", ["", "1", "1,2,3", "a,b", "-1,0", "1.5,2", "1,"])
def test_what_is_not_two_positions_is_refused(split, text):
    with pytest.raises(UserError, match="not two positions"):
        records.choose(text, split)


def test_a_record_that_is_not_there_is_refused_by_saying_how_many_there_are(split):
    with pytest.raises(UserError, match=r"no record 50 in simulated_emg, train: it has 50"):
        records.choose("0,50", split)


def test_axes_are_named_after_the_data_set(builder, small):
    names = records.names(builder)
    assert names.channels == ("channel 1", "channel 2", "channel 3", "channel 4")
    assert (names.waveform, names.time) == ("waveform (unitless)", "time (ms)")
    assert records.names(small).time == "step"


@pytest.mark.parametrize(
    ("scaling", "unit"), [("raw", "EMG (mV)"), ("standardized", "EMG (standard deviations)")]
)
def test_the_unit_of_the_recordings_is_that_of_their_scaling(scaling, unit, tmp_path):
    cls = datasets.builder_class("emg_lower_limb")
    config = cls.CONFIG_CLASS.from_settings(None, scaling=scaling)
    named = cls.builder_configs.get(config.name, config)  # TFDS wants its own where it has one
    names = records.names(cls(config=named, data_dir=tmp_path))
    assert names.channels == ("RF", "BF", "VM", "ST")
    assert (names.waveform, names.time) == (unit, "time (ms)")


def test_records_of_another_size_are_drawn_and_a_constant_channel_is_named(small):
    figures = dict(drawing.of_data_set(small, "train", "1,0"))
    assert [name[:8] for name in figures] == [f"figure_{number}" for number in range(1, 8)]
    _, constant = figures["figure_1_line_plot"].axes
    assert constant.texts[0].get_text() == "constant 0.25"
    assert len(constant.get_lines()[0].get_ydata()) == 1000
    correlation = figures["figure_7_correlation_with_label"].axes[0]
    assert correlation.get_xlabel() == "channel 2: constant 0.25"


def test_a_run_is_drawn_with_its_errors_on_the_split_that_it_scored(finished, data_dir):
    found = run.read(finished.workdir)
    builder = drawing.data_set_of(found, data_dir, None)
    figures = dict(drawing.of_run(found, builder))
    assert list(figures) == ["figure_8_loss", "figure_9_predictions", "figure_10_errors"]
    by_step = figures["figure_10_errors"].axes[0].get_lines()[0].get_ydata()
    assert by_step.mean() == pytest.approx(found.evaluation["metrics"]["mse"], rel=1e-4)
    titles = [axes.get_title() for axes in figures["figure_9_predictions"].axes[::2]]
    errors = [float(title.split("mse ")[1].split(":")[0]) for title in titles]
    assert errors == sorted(errors)
    assert [title.split(",")[0] for title in titles] == ["best", "median", "worst"]


def test_without_its_checkpoint_a_run_is_drawn_from_its_export(finished, tmp_path):
    shutil.copytree(finished.workdir, tmp_path / "run")
    found = run.read(tmp_path / "run")
    found.evaluation["export"] = str(finished.workdir.parent / found.evaluation["export"])
    shape = (4, 4000)
    waveform = np.random.default_rng(0).normal(size=(2, *shape)).astype(np.float32)
    expected = run.load_model(found, shape)(waveform)
    (tmp_path / "run" / "checkpoints" / "best.keras").unlink()
    np.testing.assert_allclose(run.load_model(found, shape)(waveform), expected, atol=1e-5)
    found.evaluation["export"] = None
    with pytest.raises(UserError, match="neither"):
        run.load_model(found, shape)


def test_a_model_of_another_shape_is_refused(finished):
    with pytest.raises(UserError, match=r"takes waveforms of \(4, 4000\).*now has \(2, 1000\)"):
        run.load_model(run.read(finished.workdir), (2, 1000))


@pytest.mark.parametrize(
    ("loss", "curve", "level"), [("mse", "loss", "mse"), ("mae", "loss", "mae")]
)
def test_the_loss_is_drawn_beside_the_same_metric(finished, loss, curve, level):
    found = run.read(finished.workdir)
    found.config["loss"] = loss
    np.testing.assert_array_equal(found.curves()[1], found.history[f"val_{curve}"])
    scores = found.evaluation["splits"]["validation"]["baselines"]
    assert found.levels() == {name: scores[name][level] for name in ("zero", "mean")}


def test_a_loss_that_no_baseline_has_is_drawn_as_mse(finished):
    found = run.read(finished.workdir)
    found.config["loss"] = "huber"
    found.history.update(mse=np.ones(2), val_mse=np.zeros(2))
    assert found.loss == "mse"
    assert [curve[0] for curve in found.curves()] == [1, 0]


@pytest.mark.parametrize("name", ["config.json", "evaluation.json", "logs/history.csv"])
def test_a_run_that_is_not_finished_is_refused(finished, name, tmp_path):
    shutil.copytree(finished.workdir, tmp_path / "run")
    (tmp_path / "run" / name).unlink()
    with pytest.raises(UserError, match=f"no finished run in .*{name} is missing"):
        run.read(tmp_path / "run")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("config.json", "{"),
        ("evaluation.json", json.dumps({"metrics": {}})),
        ("logs/history.csv", "epoch,loss\n"),
    ],
)
def test_a_run_whose_files_are_damaged_is_refused(finished, name, content, tmp_path):
    shutil.copytree(finished.workdir, tmp_path / "run")
    (tmp_path / "run" / name).write_text(content)
    with pytest.raises(UserError, match="not as python"):
        run.read(tmp_path / "run")
