"""What the training command refuses: one line that names flag or file, and nothing left behind."""

import signal

import command
import pytest

# Refused before TensorFlow is imported.
AT_ONCE = {
    "an unknown model": (["--model=lstm"], ["--model", "'lstm'", "cnn, conv_ae, mlp, resnet"]),
    "an unknown setting": (["--config.nonsense=1"], ["--config.nonsense", "--help"]),
    "a setting of another model": (
        ["--model=cnn", "--config.model.hidden_units=3"],
        ["--config.model.hidden_units", "--help"],
    ),
    "an unknown flag": (["--nonsense=1"], ["nonsense"]),
    "an unknown optimizer": (
        ["--config.optimizer.name=lion"],
        ["--config.optimizer.name", "sgd, rmsprop, adam, adamw", "'lion'"],
    ),
    "an unknown strategy": (
        ["--config.strategy=tpu"],
        ["--config.strategy", "auto, one_device, mirrored", "'tpu'"],
    ),
    "an unknown loss": (["--config.loss=l2"], ["--config.loss", "mse, mae, huber", "'l2'"]),
    "an unknown precision": (["--config.precision=f16"], ["--config.precision", "float32"]),
    "no epoch": (["--epochs=0"], ["epochs", "expected 1 or more, got 0"]),
    "an empty batch": (["--batch_size=0"], ["batch_size", "expected 1 or more, got 0"]),
    "a negative seed": (["--seed=-1"], ["seed", "expected 0 or more, got -1"]),
    "a negative learning rate": (
        ["--config.optimizer.learning_rate=-1"],
        ["--config.optimizer.learning_rate", "above 0", "-1"],
    ),
    "a learning rate of nan": (
        ["--config.optimizer.learning_rate=nan"],
        ["--config.optimizer.learning_rate", "above 0", "nan"],
    ),
    "a momentum above 1": (
        ["--config.optimizer.momentum=5"],
        ["--config.optimizer.momentum", "0 to 1", "5"],
    ),
    "an average that forgets nothing": (
        ["--config.optimizer.average=1"],
        ["--config.optimizer.average", "below 1"],
    ),
    "an unknown schedule": (
        ["--config.optimizer.schedule=linear"],
        ["--config.optimizer.schedule", "constant, cosine", "'linear'"],
    ),
    "a warmup above 1": (["--config.optimizer.warmup=2"], ["--config.optimizer.warmup", "0 to 1"]),
    "a negative norm": (["--config.optimizer.clip_norm=-1"], ["clip_norm", "0 or more, got -1"]),
    "a seed that is too large": (["--seed=4294967296"], ["--config.seed", "4294967296"]),
    "words for filters": (["--config.model.filters=a,b"], ["--config.model.filters", "'a', 'b'"]),
    "a word for a dropout rate": (["--config.model.dropout=x"], ["--config.model.dropout", "'x'"]),
    "a positional argument": (["extra"], ["'extra'", "--name=value"]),
    "no number": (["--epochs=x"], ["--epochs=x", "'x'"]),
    "no number in a setting": (["--config.seed=x"], ["--config.seed=x", "'x'"]),
    "a workdir that is a file": (["--workdir=file"], ["--workdir", "file is no writable folder"]),
    "a workdir with a name that is too long": ([f"--workdir={300 * 'x'}"], ["File name too long"]),
    "a workdir in a file": (["--workdir=file/run"], ["--workdir", "file is no writable folder"]),
    "an export_dir that is a file": (["--export_dir=file"], ["--export_dir", "file is no"]),
    "unknown settings": (["--config_name=cnn_tim"], ["--config_name", "'cnn_tim'", "cnn_time"]),
    "settings of another model": (
        ["--model=mlp", "--config_name=cnn_time"],
        ["--model=mlp", "--config_name", "of cnn"],
    ),
    "two starts": (["--config_name=cnn", "--config_file=file"], ["either", "--config_file"]),
    "no settings file": (["--config_file=none.json"], ["none.json", "No such file"]),
    "a settings file that is none": (["--config_file=file"], ["--config_file: file is not JSON"]),
}

LATER = {
    "an unknown data set": (
        ["--dataset=mnist"],
        ["--dataset", "'mnist'", "emg_lower_limb, record_sets, simulated_emg"],
    ),
    "no raw files": (["--dataset=emg_lower_limb"], ["--manual_dir", "SEMG_DB1"]),
    "a folder that is not there": (
        ["--dataset=emg_lower_limb", "--manual_dir=nowhere"],
        ["--manual_dir", "no folder nowhere"],
    ),
    "a setting of another data set": (
        ["--config.dataset.stride=4"],
        ["--config.dataset.stride", "train_records"],
    ),
    "a data set without records": (
        ["--config.dataset.train_records=0"],
        ["--config.dataset.train_records", "1 or more", "0"],
    ),
    "a word for a number of records": (
        ["--config.dataset.test_records=x"],
        ["--config.dataset.test_records", "1 or more", "'x'"],
    ),
    "an unknown split": (
        [*command.RECORDS, "--config.data.train_split=nosuch"],
        ["'nosuch'", "train, validation, test"],
    ),
    "a split that ends before it begins": (
        [*command.RECORDS, "--config.data.train_split=train[90%:10%]"],
        ["'train[90%:10%]'", "no record"],
    ),
    "an unknown activation": (
        [*command.RECORDS, "--config.model.activation=relux"],
        ["--config.model.activation", "'relux'", "leaky_relu"],
    ),
    "an unknown initializer": (
        [*command.RECORDS, "--config.model.initializer=zero"],
        ["--config.model.initializer", "'zero'", "he_normal"],
    ),
    "an unknown layout": (
        [*command.RECORDS, "--config.model.layout=steps"],
        ["--config.model.layout", "'steps'", "report, time"],
    ),
    "an unknown view": (
        [*command.RECORDS, "--config.transform.views=raw"],
        ["--config.transform.views", "'raw'", "normalized, rectified"],
    ),
    "a negative gain": (
        [*command.RECORDS, "--config.augmentation.gain=-1"],
        ["--config.augmentation.gain", "0 or more, got -1"],
    ),
    "a shift beyond the record": (
        [*command.RECORDS, "--config.augmentation.shift=4000"],
        ["--config.augmentation.shift", "less than the 4000 steps", "got 4000"],
    ),
    "a dropout rate above 1": (
        [*command.RECORDS, "--config.model.dropout=1.5"],
        ["--config.model.dropout", "below 1", "1.5"],
    ),
    "a data_dir that is a file": ([*command.RECORDS, "--data_dir=file"], ["file"]),
}


@pytest.fixture(scope="module")
def refused(builder, data_dir, pool, tmp_path_factory):
    """Returns a function from a case to the finished command and the folder that it ran in."""

    def run(case):
        folder = tmp_path_factory.mktemp("refused")
        (folder / "file").write_text("not a folder")
        given = (AT_ONCE | LATER)[case][0]
        return command.run("train", f"--data_dir={data_dir}", *given, cwd=folder), folder

    started = {case: pool.submit(run, case) for case in [*AT_ONCE, *LATER]}
    yield lambda case: started[case].result()
    for each in started.values():
        each.cancel()


@pytest.mark.parametrize("case", [*AT_ONCE, *LATER])
def test_a_mistake_is_refused_in_one_line_that_names_it(case, refused, data_dir):
    finished, folder = refused(case)
    message = finished.refusal()
    pieces = (AT_ONCE | LATER)[case][1]
    assert [piece for piece in pieces if piece not in message] == [], message
    assert [path.name for path in folder.rglob("*")] == ["file"]
    assert (folder / "file").read_text() == "not a folder"
    assert not list(data_dir.rglob("*incomplete*"))


@pytest.mark.parametrize("case", AT_ONCE)
def test_a_mistake_in_the_flags_is_told_before_anything_is_printed(case, refused):
    assert refused(case)[0].stdout == ""


def test_another_keras_backend_is_refused(tmp_path):
    finished = command.run("train", cwd=tmp_path, KERAS_BACKEND="jax")
    assert "KERAS_BACKEND is jax" in finished.refusal()
    assert not list(tmp_path.iterdir())


def test_a_run_that_diverges_ends_without_an_export(builder, data_dir, tmp_path):
    finished = command.run(
        "train",
        *command.RECORDS,
        f"--data_dir={data_dir}",
        "--workdir=run",
        "--batch_size=16",
        "--config.optimizer.learning_rate=1e30",
        cwd=tmp_path,
    )
    message = finished.refusal()
    assert "training diverged" in message
    assert "epoch 1, step 2" in message
    assert "--config.optimizer.learning_rate" in message
    assert [path.name for path in tmp_path.iterdir()] == ["run"]
    assert not list(tmp_path.rglob("*.keras"))
    assert not (tmp_path / "run" / "evaluation.json").exists()


def test_a_data_set_that_is_interrupted_is_not_left_half_built(tmp_path):
    process = command.start("train", "--data_dir=data", "--workdir=run", cwd=tmp_path)
    assert process.stdout.readline().startswith("Building data set simulated_emg")
    process.send_signal(signal.SIGINT)
    finished = command.finish(process)
    assert finished.code == 130
    assert finished.stderr == "error: interrupted\n"
    assert not list(tmp_path.rglob("*.tfrecord*"))
    assert not list(tmp_path.rglob("dataset_info.json"))
    assert not (tmp_path / "run").exists()
