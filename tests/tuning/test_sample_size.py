"""Losses by the size of the test set, and the part of their spread that is sampling error."""

import command
import numpy as np
import pytest

from tfseq.tuning import results, sampling, sizes
from tfseq.tuning.records import Data


@pytest.fixture(scope="module")
def drawn(flags, tmp_path_factory):
    """The folder of the command, and what two runs of it said."""
    folder = tmp_path_factory.mktemp("sizes")
    arguments = ("--model=mlp", "--sizes=20,5,10", "--seeds=2", *flags)
    runs = [command.run("tuning.sample_size", *arguments, cwd=folder).check() for _ in range(2)]
    return folder / "studies" / "simulated_emg" / "mlp" / "sample-size", runs


def test_the_command_writes_the_figure_and_its_numbers(drawn):
    folder, (first, _) = drawn
    assert (folder / "figure_8_sample_size.png").read_bytes().startswith(b"\x89PNG")
    written = command.read_json(folder / "sample_size.json")
    assert [row["size"] for row in written["sizes"]] == [5, 10, 20]
    assert written["bootstrap"]["records"] == 20
    for row in written["sizes"]:
        assert len(row["training_loss"]) == len(row["validation_loss"]) == 2
        sampling_error = row["sampling_error"]
        assert sampling_error["low"] < np.mean(row["validation_loss"]) < sampling_error["high"] * 2
        assert f"{row['size']:>6}" in first.stdout
    deviations = [row["sampling_error"]["standard_deviation"] for row in written["sizes"]]
    assert deviations == sorted(deviations, reverse=True)


def test_the_same_command_again_trains_nothing(drawn):
    folder, (_, second) = drawn
    assert "all 6 trials have been run" in second.stdout
    assert len(results.read(folder)) == 6


def test_a_trial_tests_on_what_it_holds_out_and_trains_on_the_rest(drawn):
    folder, _ = drawn
    for row in results.read(folder):
        assert row["validation_records"] == int(row["arm"])
        assert row["training_records"] == 50 - int(row["arm"])
        assert np.mean(row["record_losses"]) == pytest.approx(row["val_loss"][-1], rel=1e-4)


def test_records_held_out_are_those_of_the_seed_and_no_other(builder, data_dir):
    made = {"train_records": 50, "validation_records": 20, "test_records": 20}
    data = Data({"name": "simulated_emg", **made}, "train", "validation", data_dir=data_dir)
    whole = {label.tobytes() for _, label in data.whole[0].records().as_numpy_iterator()}

    def labels(records):
        return [label.tobytes() for _, label in records.records().as_numpy_iterator()]

    rest, held_out = data.divided(20, seed=3)
    assert (rest.num_records, held_out.num_records) == (30, 20)
    assert set(labels(rest)) | set(labels(held_out)) == whole
    assert not set(labels(rest)) & set(labels(held_out))
    assert labels(data.divided(5, seed=3)[1]) == labels(held_out)[:5]
    assert labels(data.divided(20, seed=4)[1]) != labels(held_out)
    assert labels(data.divided(None, seed=3)[0]) == labels(data.whole[0])


def test_more_records_than_there_are_cannot_be_held_out(flags, tmp_path):
    arguments = ("--model=mlp", "--sizes=10,50", *flags)
    refusal = command.run("tuning.sample_size", *arguments, cwd=tmp_path).refusal()
    assert "--sizes" in refusal
    assert "50 of 50 training records" in refusal


def test_the_bootstrap_finds_the_standard_error_of_a_mean():
    losses = np.random.default_rng(1).normal(5.0, 2.0, 400)
    deviation, low, high = sampling.bootstrap(losses, (4, 100))
    np.testing.assert_allclose(deviation, losses.std() / np.sqrt([4, 100]), rtol=0.06)
    assert (low < losses.mean()).all()
    assert (high > losses.mean()).all()
    np.testing.assert_allclose(high - low, 2 * 1.96 * deviation, rtol=0.08)


def test_a_size_at_which_a_trial_diverged_is_left_without_a_number():
    study = sizes.sample_size("cnn", (5, 10))
    rows = [
        {
            "arm": label,
            "seed": seed,
            "complete": True,
            "diverged": "not finite" if (label, seed) == ("5", 1) else None,
            "loss": [1.0],
            "val_loss": [2.0],
            "record_losses": [2.0] * int(label),
        }
        for label in ("5", "10")
        for seed in (0, 1)
    ]
    written = sampling.summarize(study, rows).to_json()["sizes"]
    assert written[0]["validation_loss"] == [2.0, None]
    assert written[1]["validation_loss"] == [2.0, 2.0]
