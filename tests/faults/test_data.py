"""Data that is damaged, gone or changed ends in one line, and nothing is lost."""

import shutil

import command
import damage
import pytest
from same_end import assert_same_end

SETTINGS = ("--model=cnn", "--batch_size=8", "--config.data.cache=never", *command.RECORDS)


def train(cwd, *flags, epochs=2):
    places = ("--data_dir=data", "--workdir=run", "--export_dir=exports")
    return command.run("train", *SETTINGS, *places, f"--epochs={epochs}", *flags, cwd=cwd)


@pytest.fixture
def copied(builder, data_dir, tmp_path):
    """The session's data set, copied to `tmp_path / "data"`."""
    return damage.copied(data_dir, tmp_path / "data")


@pytest.fixture(scope="module")
def finished_run(trained):
    run = trained("cnn").result()
    run.finished.check()
    return run


def test_every_command_that_reads_names_file_and_record(copied, tmp_path, finished_run):
    damage.flip(damage.file_of(copied), 17, 500)
    damage.cut(damage.file_of(copied, "test"), 5)
    named = (
        "simulated_emg-train.tfrecord-00000-of-00001 record 17; ",
        "simulated_emg-test.tfrecord-00000-of-00001 records 5 to 19; ",
    )
    export = finished_run.export_dir / "cnn" / "1"
    data = ("--data_dir=data", "--dataset=simulated_emg", *command.RECORDS)
    search = (*data, "--epochs=1", "--workdir=search")
    for finished in (
        train(tmp_path),
        train(tmp_path, "--config.data.cache=always"),
        command.run("statistics_gen", *data, cwd=tmp_path),
        command.run("example_validator", *data, cwd=tmp_path),
        command.run("evaluate", *data[:2], f"--saved_model={export}", cwd=tmp_path),
        command.run("figures", *data, cwd=tmp_path),
        command.run("figures", data[0], f"--workdir={finished_run.workdir}", cwd=tmp_path),
        command.run("tuning.search", "--study=cnn/optimizer", *search, cwd=tmp_path),
        command.run("tuning.sample_size", "--sizes=5,10", *search, cwd=tmp_path),
        command.run("tuning.tune", *search, cwd=tmp_path),
        command.run("tuning.cross_validate", *search, cwd=tmp_path),
    ):
        message = finished.refusal()
        assert [name for name in named if name not in message] == [], message
    assert not (tmp_path / "exports").exists()


def test_skipping_trains_on_the_rest_and_continues_bit_by_bit(copied, tmp_path):
    damage.flip(damage.file_of(copied), 17, 500)
    damage.flip(damage.file_of(copied, "validation"), 15, 1)
    folders = [tmp_path / name for name in ("at once", "in turns")]
    for cwd, turns in zip(folders, ([2], [1, 2]), strict=True):
        cwd.mkdir()
        (cwd / "data").symlink_to(tmp_path / "data")
        for epochs in turns:
            shutil.rmtree(cwd / "exports", ignore_errors=True)
            done = train(cwd, "--config.data.on_corrupt=skip", epochs=epochs).check()
            assert "skipped 6 of 90 records: " in done.stdout
            assert "record 17; " in done.stdout
            assert "records 15 to 19\n" in done.stdout
            assert "49 training and 15 validation records" in done.stdout
            scores = command.read_json(cwd / "run" / "evaluation.json")
            assert scores["splits"]["validation"]["records"] == 15
    assert_same_end(*folders)


@pytest.mark.parametrize("how", ["cross_validate", "sample_size"])
def test_a_search_skips_too(how, copied, tmp_path):
    damage.flip(damage.file_of(copied), 17, 500)
    data = ("--data_dir=data", *command.RECORDS, "--config.data.on_corrupt=skip")
    few = {"cross_validate": ("--folds=2", "--workdir=out"), "sample_size": ("--sizes=5,10",)}
    few["sample_size"] += ("--seeds=1", "--workdir=out")
    done = command.run(f"tuning.{how}", *data, "--epochs=1", *few[how], cwd=tmp_path).check()
    assert "skipped 1 of 90 records: " in done.stdout
    assert "record 17\n" in done.stdout
    assert (tmp_path / "out" / "salvaged" / "alone").is_dir()


def test_a_restart_with_other_records_is_refused_before_it_trains(copied, tmp_path):
    train(tmp_path, epochs=1).check()
    before = {path: path.read_bytes() for path in tmp_path.rglob("run/**/*") if path.is_file()}
    path = damage.file_of(copied)
    whole = path.read_bytes()
    damage.flip(path, 17, 500)
    message = train(tmp_path, "--config.data.on_corrupt=skip").refusal()
    assert "the training records were 50 and are 49" in message
    # Values of the same sizes, as after a correction of the raw files.
    other = command.run(
        "statistics_gen",
        *("--dataset=simulated_emg", "--data_dir=other", *command.RECORDS),
        "--config.dataset.seed=5",
        cwd=tmp_path,
    ).check()
    assert "Building" in other.stdout
    (replacement,) = (tmp_path / "other").rglob(path.name)
    shutil.copyfile(replacement, path)
    finished = train(tmp_path)
    assert "has other training records" in finished.refusal()
    assert "epoch" not in finished.stdout
    assert {path: path.read_bytes() for path in before if path.name != "salvaged"} == before
    path.write_bytes(whole)
    assert "1 epochs are done" in train(tmp_path).check().stdout


def test_a_file_that_is_gone_is_named_and_a_folder_that_is_gone_is_built_again(copied, tmp_path):
    train(tmp_path, epochs=1).check()
    path = damage.file_of(copied, "validation")
    kept = path.rename(tmp_path / "kept")
    message = train(tmp_path).refusal()
    assert f"{path.relative_to(tmp_path)} is gone" in message
    assert "epoch" not in message
    kept.rename(path)
    shutil.rmtree(tmp_path / "data")
    done = train(tmp_path).check()
    assert "Building data set" in done.stdout
    assert "1 epochs are done" in done.stdout


def test_a_file_that_vanishes_while_it_is_read_is_named(copied, tmp_path):
    places = ("--data_dir=data", "--workdir=run", "--export_dir=exports")
    process = command.start("train", *SETTINGS, *places, "--epochs=1000", cwd=tmp_path)
    for line in process.stdout:
        if line.startswith("epoch 1/"):
            break
    path = damage.file_of(copied)
    kept = path.rename(tmp_path / "kept")
    finished = command.finish(process)
    assert f"{path.name}: No such file or directory" in finished.refusal()
    kept.rename(path)
    done = command.training_state(tmp_path / "run" / "checkpoints" / "last.keras")["epoch"]
    assert done >= 1
    assert f"{done} epochs" in train(tmp_path, epochs=done + 1).check().stdout
