"""Apache Beam builds the same records in the same order; what it cannot do is one line."""

import sys

import command
import made_sets
import numpy as np
import pytest
import tensorflow as tf
from emg_lower_limb_files import write_two

from tfseq import datasets
from tfseq.errors import UserError

OPTIONS = "runner=DirectRunner"


def stored(builder):
    """What stands in the files, in their order: bytes of every feature of every record."""
    files = sorted(builder.data_path.glob("*.tfrecord*"))
    return {
        file.name: [
            {
                name: feature.bytes_list.value[0]
                for name, feature in tf.train.Example.FromString(record).features.feature.items()
            }
            for record in tf.data.TFRecordDataset(str(file)).as_numpy_iterator()
        ]
        for file in files
    }


def sets(folder):
    waveforms, labels = made_sets.clean()
    made_sets.write(folder, waveforms, labels)
    # More than Beam gives to a worker at once.
    np.save(folder / "set2_x.npy", np.tile(waveforms, (3, 1, 1)))
    np.save(folder / "set2_y.npy", np.tile(labels, (3, 1)))
    return folder


RECORDS = {"train_records": 60, "validation_records": 3, "test_records": 1}
SOURCES = {
    "simulated_emg": lambda folder: RECORDS,
    "record_sets": lambda folder: {"manual_dir": sets(folder)},
    "emg_lower_limb": lambda folder: {
        "manual_dir": write_two(folder),
        "scaling": "standardized",
    },
}


@pytest.mark.parametrize("name", SOURCES)
def test_beam_writes_the_same_records_in_the_same_order(name, tmp_path):
    source = SOURCES[name](tmp_path / "raw")
    plain = datasets.load(name, data_dir=tmp_path / "plain", **source)
    beam = datasets.load(name, data_dir=tmp_path / "beam", beam_pipeline_options=OPTIONS, **source)
    assert stored(beam) == stored(plain)
    assert beam.info.splits.keys() == plain.info.splits.keys()
    for split, info in plain.info.splits.items():
        assert beam.info.splits[split].shard_lengths == info.shard_lengths


def test_a_record_that_a_worker_refuses_is_named_in_one_line(tmp_path):
    waveforms, labels = made_sets.clean()
    waveforms[417, 1, 5] = np.nan
    made_sets.write(tmp_path / "raw", waveforms, labels)
    message = command.run(
        "build",
        "--dataset=record_sets",
        "--manual_dir=raw",
        "--data_dir=data",
        f"--beam_pipeline_options={OPTIONS}",
        cwd=tmp_path,
    ).refusal()
    assert "set1.npz: record 417: waveform is nan at step 5" in message
    assert not list((tmp_path / "data").rglob("*tfrecord*"))


def test_the_command_builds_and_says_where(tmp_path):
    flags = [f"--config.dataset.{name}={count}" for name, count in RECORDS.items()]
    arguments = ("--dataset=simulated_emg", "--data_dir=data", *flags)
    done = command.run("build", *arguments, cwd=tmp_path).check()
    assert "train: 60 records in 1 files" in done.stdout


def test_a_runner_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(UserError, match="--beam_pipeline_options: there is no runner NoRunner"):
        datasets.load(
            "simulated_emg", data_dir=tmp_path, beam_pipeline_options="runner=NoRunner", **RECORDS
        )


def test_without_beam_the_extra_is_named(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "apache_beam.options", None)
    with pytest.raises(UserError, match=r"pip install 'tfseq\[beam\]'"):
        datasets.load("simulated_emg", data_dir=tmp_path, beam_pipeline_options=OPTIONS, **RECORDS)
