"""Models that someone who means harm has saved are not run, and refused in one line."""

import io
import json
import shutil
import zipfile

import hostile
import keras
import pytest
from hypothesis import given, settings

from tfseq import checkpoint_files, configs, keras_file
from tfseq.figures import run as figures
from tfseq.intervals import of_run


@pytest.fixture(scope="module")
def harmless(tmp_path_factory):
    """A checkpoint of a small model, as training writes it."""
    folder = tmp_path_factory.mktemp("harmless")
    waveform = keras.Input((4, 40), name="waveform")
    model = keras.Model(waveform, keras.layers.Dense(3)(waveform))
    model.compile("sgd", "mse")
    checkpoint_files.save(model, checkpoint_files.Position(), None, folder)
    return folder / "last.keras"


@pytest.fixture(scope="module")
def lambda_model(tmp_path_factory):
    """A model whose layer makes a folder where it is loaded."""
    folder = tmp_path_factory.mktemp("lambda")
    waveform = keras.Input((4, 40), name="waveform")
    made = str(folder / "made")

    code = keras.layers.Lambda(lambda x: (__import__("os").makedirs(made, exist_ok=True), x)[1])
    path = folder / "lambda.keras"
    keras.Model(waveform, code(waveform)).save(path)
    (folder / "made").rmdir()
    return path


def restored(folder, data):
    path = hostile.written(folder, "last.keras", data)
    return hostile.told(lambda: checkpoint_files.restore(path.parent))


def rewritten(path, change, compression=zipfile.ZIP_STORED):
    """Returns the bytes of an archive after `change` of its entries by name."""
    stream = io.BytesIO()
    with zipfile.ZipFile(path) as whole, zipfile.ZipFile(stream, "w", compression) as archive:
        entries = {name: whole.read(name) for name in whole.namelist()}
        for name, data in (entries | change).items():
            archive.writestr(name, data)
    return stream.getvalue()


def test_a_layer_with_code_is_refused_and_not_run(lambda_model):
    with pytest.raises(ValueError, match="safe_mode"):
        keras_file.load(lambda_model)
    assert not (lambda_model.parent / "made").exists()
    keras.models.load_model(lambda_model, safe_mode=False)
    assert (lambda_model.parent / "made").exists(), "the file would have run"
    (lambda_model.parent / "made").rmdir()


def test_a_checkpoint_with_code_does_not_go_on(lambda_model, harmless, tmp_path):
    with zipfile.ZipFile(harmless) as archive:
        state = archive.read("training_state.json")
    data = rewritten(lambda_model, {"training_state.json": state})
    assert "not a checkpoint that training can continue from" in restored(tmp_path, data)
    assert not (lambda_model.parent / "made").exists()


def test_figures_refuse_a_run_whose_model_has_code(lambda_model, tmp_path):
    (tmp_path / "checkpoints").mkdir()
    shutil.copy(lambda_model, tmp_path / "checkpoints" / "best.keras")
    run = figures.Run(tmp_path, {}, {}, {})
    message = hostile.told(lambda: figures.load_model(run, (4, 40)))
    assert "best.keras is not a model that Keras can load" in message
    assert not (lambda_model.parent / "made").exists()


def test_widths_of_intervals_with_code_are_refused(lambda_model, tmp_path):
    config = configs.get("cnn")
    config.interval.coverage = 0.8
    (tmp_path / "checkpoints").mkdir()
    shutil.copy(lambda_model, tmp_path / "checkpoints" / "half_width_1_0.8_5.keras")
    message = hostile.told(lambda: of_run(config, None, 1, None, None, tmp_path))
    assert "half_width_1_0.8_5.keras is damaged" in message


def test_an_archive_that_grows_as_it_is_read_is_refused(harmless, tmp_path):
    bomb = {"config.json": b" " * 2**26}
    data = rewritten(harmless, bomb, zipfile.ZIP_DEFLATED)
    assert len(data) < 2**20
    assert "not a checkpoint" in restored(tmp_path, data)


@pytest.mark.parametrize(
    "change",
    [
        {"class_name": "os.system"},
        {"module": "os", "class_name": "system"},
        {"module": "builtins", "class_name": "exec"},
        {"class_name": "function", "config": "system", "module": "os"},
        {"config": [[]] * 9},
    ],
)
def test_a_description_of_something_else_is_refused(change, harmless, tmp_path):
    with zipfile.ZipFile(harmless) as archive:
        described = json.loads(archive.read("config.json"))
    data = rewritten(harmless, {"config.json": json.dumps(described | change)})
    assert "not a checkpoint" in restored(tmp_path, data)


def test_a_checkpoint_with_changes_is_restored_or_refused(harmless, tmp_path):
    assert restored(tmp_path, harmless.read_bytes()) is None

    @settings(hostile.FEW, max_examples=20)
    @given(data=hostile.changed(harmless.read_bytes()))
    def check(data):
        restored(tmp_path, data)

    check()
