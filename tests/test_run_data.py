"""A run is continued with the records that it was started with, or not at all."""

import damage
import pytest

from tfseq import configs, datasets, run_data
from tfseq.errors import UserError
from tfseq.example_gen import Split


def describe(builder):
    return run_data.describe(Split(builder, "train"), Split(builder, "validation"), held=True)


@pytest.fixture
def described(builder):
    return describe(builder)


@pytest.fixture
def workdir(described, tmp_path):
    """The folder of a run that has begun."""
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / "last.keras").touch()
    run_data.write(described, tmp_path)
    return tmp_path


def test_the_same_records_are_taken_up(workdir, described, builder):
    run_data.refuse_other(described, workdir)
    assert describe(builder) == described


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
        run_data.refuse_other(describe(copied), workdir)


def test_a_folder_without_a_run_or_of_a_former_version_is_taken(tmp_path, described):
    run_data.refuse_other(described, tmp_path)
    run_data.write({}, tmp_path)
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / "last.keras").touch()
    run_data.refuse_other(described, tmp_path)


@pytest.mark.parametrize("held", [True, False])
def test_batches_keep_the_order_in_which_the_run_began(held, workdir, described, builder):
    described["training"]["held in memory"] = held
    run_data.write(described, workdir)
    settled = run_data.settle_cache(configs.get("cnn"), Split(builder, "train"), workdir)
    assert settled.data.cache == ("always" if held else "never")
    run_data.refuse_other(described, workdir)


def test_a_run_that_begins_holds_records_in_memory_that_fit(tmp_path, builder):
    config = configs.get("cnn")
    assert run_data.settle_cache(config, Split(builder, "train"), tmp_path).data.cache == "always"
    assert config.data.cache == "auto"


def test_a_damaged_account_of_the_records_is_named(workdir, described):
    (workdir / "data.json").write_text("{")
    with pytest.raises(UserError, match=r"data\.json is not JSON"):
        run_data.refuse_other(described, workdir)
