"""A run is continued with the records that it was started with, or not at all."""

import damage
import pytest

from tfseq import datasets, run_data
from tfseq.errors import UserError
from tfseq.example_gen import Split


@pytest.fixture
def described(builder):
    return run_data.describe(Split(builder, "train"), Split(builder, "validation"))


@pytest.fixture
def workdir(described, tmp_path):
    """The folder of a run that has begun."""
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / "last.keras").touch()
    run_data.write(described, tmp_path)
    return tmp_path


def test_the_same_records_are_taken_up(workdir, described, builder):
    run_data.refuse_other(described, workdir)
    other_dir = run_data.describe(Split(builder, "train"), Split(builder, "validation"))
    assert other_dir == described


@pytest.mark.parametrize(
    ("use", "what", "value", "message"),
    [
        ("training", "records", 48, "the training records were 50 and are 48"),
        ("validation", "records", 2, "the validation records were 20 and are 2"),
        ("training", "data set", "x/y/2.0.0", "the training data set was simulated_emg/.* x/y/2"),
        ("validation", "fingerprint", "0", "simulated_emg/.* has other validation records"),
    ],
)
def test_what_changed_is_named(use, what, value, message, workdir, described):
    described[use] = described[use] | {what: value}
    with pytest.raises(UserError, match=message) as refused:
        run_data.refuse_other(described, workdir)
    assert str(workdir) in str(refused.value)
    assert "\n" not in str(refused.value)


def test_records_of_the_same_size_with_other_values_are_others(workdir, data_dir, tmp_path):
    copied = damage.copied(data_dir, tmp_path / "data")
    settings = damage.SETTINGS | {"seed": 5}
    other = datasets.load("simulated_emg", data_dir=tmp_path / "other", **settings)
    damage.file_of(copied).write_bytes(damage.file_of(other).read_bytes())
    with pytest.raises(UserError, match="has other training records"):
        run_data.refuse_other(
            run_data.describe(Split(copied, "train"), Split(copied, "validation")), workdir
        )


def test_a_folder_without_a_run_or_of_a_former_version_is_taken(tmp_path, described):
    run_data.refuse_other(described, tmp_path)
    run_data.write({}, tmp_path)
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / "last.keras").touch()
    run_data.refuse_other(described, tmp_path)
