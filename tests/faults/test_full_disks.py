"""A disk that is full or read-only ends in one line, and the same command goes on later.

A small file system in memory where this process may mount one, as root may; a limit on the size of
files everywhere.
"""

import os
import subprocess

import command
import pytest
from same_end import assert_same_end

SETTINGS = ("--model=cnn", "--batch_size=8", *command.RECORDS)


def start(cwd, data_dir, epochs, *flags, prefix=(), workdir="run", export_dir="exports"):
    places = (f"--data_dir={data_dir}", f"--workdir={workdir}", f"--export_dir={export_dir}")
    return command.run(
        "train", *SETTINGS, *places, f"--epochs={epochs}", *flags, cwd=cwd, prefix=prefix
    )


def limited(kilobytes):
    """A shell that lets no file grow beyond a size, as a full disk does not."""
    return ("bash", "-c", f'ulimit -f {kilobytes}; exec "$0" "$@"')


@pytest.fixture
def disk(tmp_path):
    """Returns a function that mounts a file system of some KiB on a new folder of `tmp_path`."""
    mounted = []

    def mount(name, kilobytes):
        folder = tmp_path / name
        folder.mkdir(parents=True)
        done = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", f"size={kilobytes}k", "tmpfs", folder],
            capture_output=True,
            check=False,
        )
        if done.returncode:
            pytest.skip("needs root's right to mount a small file system")
        mounted.append(folder)
        return folder

    yield mount
    for folder in mounted:
        subprocess.run(["umount", folder], check=True)


def grow(folder, kilobytes):
    subprocess.run(["mount", "-o", f"remount,size={kilobytes}k", folder], check=True)


def test_logs_without_room_end_in_one_line_and_the_run_goes_on_with_more(
    builder, data_dir, disk, tmp_path
):
    logs = disk("full/run/logs", 16)
    cwd = tmp_path / "full"
    message = start(cwd, data_dir, 60).refusal()
    assert "run/logs/" in message
    assert "No space left on device" in message
    state = command.training_state(cwd / "run" / "checkpoints" / "last.keras")
    assert 0 < state["epoch"] < 60
    grow(logs, 4096)
    epochs = state["epoch"] + 2
    start(cwd, data_dir, epochs).check()
    (tmp_path / "whole").mkdir()
    start(tmp_path / "whole", data_dir, epochs).check()
    assert_same_end(cwd, tmp_path / "whole")


@pytest.mark.parametrize("free", [4, 40, 100])
def test_a_workdir_without_room_ends_in_one_line_and_the_run_goes_on_with_more(
    free, builder, data_dir, disk, tmp_path
):
    run = disk("full/run", free)
    cwd = tmp_path / "full"
    message = start(cwd, data_dir, 3).refusal()
    assert "No space left on device" in message
    assert "run" in message
    assert not (cwd / "exports").exists()
    grow(run, 4096)
    start(cwd, data_dir, 3).check()
    (tmp_path / "whole").mkdir()
    start(tmp_path / "whole", data_dir, 3).check()
    assert_same_end(cwd, tmp_path / "whole")


def test_an_export_without_room_leaves_no_version_and_the_next_command_writes_it(
    builder, data_dir, disk, tmp_path
):
    exports = disk("exports", 64)
    message = start(tmp_path, data_dir, 1).refusal()
    assert "--export_dir: cannot write a version to exports/cnn: " in message
    assert "No space left on device" in message
    assert not list(exports.glob("*/[0-9]*"))
    grow(exports, 4096)
    again = start(tmp_path, data_dir, 1).check()
    assert "epoch 1/" not in again.stdout
    assert [path.name for path in exports.glob("*/[0-9]*")] == ["1"]


@pytest.mark.parametrize("kilobytes", [4, 400, 3000])
def test_a_data_set_without_room_is_not_left_half_built(kilobytes, tmp_path):
    message = start(tmp_path, "data", 1, prefix=limited(kilobytes)).refusal()
    assert "data" in message
    assert "File too large" in message
    assert not list(tmp_path.rglob("*.tfrecord*"))
    assert not list(tmp_path.rglob("dataset_info.json"))
    assert not (tmp_path / "run").exists()
    start(tmp_path, "data", 1).check()


def test_a_data_set_that_fills_the_disk_is_built_once_there_is_room(disk, tmp_path):
    data = disk("data", 3000)
    message = start(tmp_path, "data", 1).refusal()
    assert "No space left on device" in message
    assert not list(data.rglob("*.tfrecord*"))
    assert not (tmp_path / "run").exists()
    grow(data, 20_000)
    start(tmp_path, "data", 1).check()


@pytest.fixture
def read_only(tmp_path, request):
    """Returns a function that takes from a folder the right to be written, root's too."""

    def protect(folder):
        folder.mkdir(exist_ok=True)
        if os.geteuid():
            folder.chmod(0o555)
            request.addfinalizer(lambda: folder.chmod(0o755))
            return
        for action in (["--bind", folder, folder], ["-o", "remount,bind,ro", folder]):
            done = subprocess.run(["mount", *action], capture_output=True, check=False)
            if done.returncode:
                pytest.skip("root may write everywhere, and may not mount here")
        request.addfinalizer(lambda: subprocess.run(["umount", folder], check=True))

    return protect


@pytest.mark.parametrize("flag", ["workdir", "export_dir"])
def test_a_folder_that_is_read_only_is_refused_before_work_is_spent(
    flag, builder, data_dir, read_only, tmp_path
):
    read_only(tmp_path / "locked")
    finished = start(tmp_path, data_dir, 1, **{flag: "locked/here"})
    assert f"--{flag}: cannot write to locked/here" in finished.refusal()
    assert finished.stdout == ""
    assert [path.name for path in tmp_path.iterdir()] == ["locked"]


def test_a_data_dir_that_is_read_only_is_read_but_not_built_in(
    builder, data_dir, read_only, tmp_path
):
    (tmp_path / "empty").mkdir()
    read_only(tmp_path / "empty")
    assert "empty" in start(tmp_path, "empty", 1).refusal()
    assert not (tmp_path / "run").exists()
    read_only(data_dir)
    start(tmp_path, data_dir, 1).check()
