"""Settings that someone who means harm has written are taken, or refused in one line."""

import json
import os

import command
import hostile
import hostile_targets
import pytest
from hypothesis import given

from tfseq import configs, json_file, run_config
from tfseq.errors import UserError

SETTINGS = hostile.settings_texts(
    [*configs.get("cnn"), *configs.get("cnn").model, *configs.get("cnn").optimizer]
)


@hostile.FEW
@given(data=SETTINGS)
def test_a_file_of_settings_is_taken_or_refused(tmp_path, data):
    hostile_targets.config_file(tmp_path, data)


@pytest.mark.parametrize("depth", [100, 400, 900, 5000, 10**6])
def test_lists_in_lists_are_refused_however_deep(depth, tmp_path):
    text = '{"model": {"name": "cnn"}, "epochs": ' + "[" * depth + "]" * depth + "}"
    assert "--config_file" in hostile_targets.config_file(tmp_path, text.encode())


def test_a_number_that_no_float_holds_is_refused(tmp_path):
    text = json.dumps({"model": {"name": "cnn"}, "optimizer": {"learning_rate": 10**400}})
    message = hostile_targets.config_file(tmp_path, text.encode())
    assert "optimizer.learning_rate: expected float" in message
    assert len(message) < 400


def test_a_model_that_no_memory_holds_is_refused(builder, data_dir, tmp_path):
    config = {"model": {"name": "cnn", "filters": [10**12, 4, 4]}}
    (tmp_path / "settings.json").write_text(json.dumps(config))
    places = (f"--data_dir={data_dir}", "--workdir=run", "--export_dir=exports")
    done = command.run(
        "train", "--config_file=settings.json", *command.RECORDS, *places, cwd=tmp_path
    )
    assert "out of memory" in done.refusal()


def test_a_data_set_is_a_name_and_no_path(tmp_path):
    from tfseq import datasets

    with pytest.raises(UserError, match="there is no data set"):
        datasets.load("../../simulated_emg", data_dir=tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("kind", ["fifo", "device", "folder"])
def test_what_is_no_regular_file_is_refused_at_once(kind, tmp_path):
    path = tmp_path / "settings.json"
    match kind:
        case "fifo":
            os.mkfifo(path)
        case "device":
            path.symlink_to("/dev/zero")
        case "folder":
            path.mkdir()
    assert "not a regular file" in hostile.told(lambda: json_file.read(path))


def test_a_file_without_end_is_not_read_to_it(tmp_path):
    path = tmp_path / "settings.json"
    with path.open("wb") as file:
        file.truncate(2**40)
    assert "is larger than 16 MiB" in hostile.told(lambda: json_file.read(path))


@pytest.mark.parametrize(
    "text", [b"", b"{", b"\xff", b"[" * 10**5, b"[]", b"null", b'{"seed": {}}']
)
def test_the_settings_of_a_workdir_are_read_or_refused(text, tmp_path):
    (tmp_path / "checkpoints").mkdir()
    (tmp_path / "checkpoints" / "last.keras").write_bytes(b"")
    (tmp_path / "config.json").write_bytes(text)
    message = hostile.told(lambda: run_config.refuse_other(configs.get("cnn"), tmp_path))
    assert str(tmp_path) in message
