"""Whatever ends a push, what a server sees is the old versions, or those and the whole new one.

TFSEQ_KILLS sets how many pushes are killed.
"""

import fcntl
import json
import os

import keras
import numpy as np
import pytest

from tfseq import models, pusher
from tfseq.serving.session import Session

KILLS = int(os.environ.get("TFSEQ_KILLS", "4"))
BESIDE = {"models.config", "batching_parameters.txt", "monitoring.config"}

# Imports TensorFlow once; every writer is a process of its own, forked before TensorFlow has run.
WRITERS = """
import json, os, random, resource, signal, sys, time
from pathlib import Path
from tfseq import cli
cli.import_tensorflow()
import keras
from tfseq import models, pusher
from tfseq.errors import UserError

base, kills = Path(sys.argv[1]), int(sys.argv[2])

def start(limit=None):
    "Returns a writer that has built its model and begins to push it, and where it speaks."
    ears, mouth = os.pipe()
    writer = os.fork()
    if writer:
        os.close(mouth)
        os.read(ears, 1)
        return writer, ears
    keras.utils.set_random_seed(0)
    model = models.build("cnn", waveform_shape=(4, 40))
    os.write(mouth, b".")
    if limit:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    try:
        pusher.push(model, base, {"config.json": {"numbers": list(range(30000))}})
    except UserError as error:
        os.write(mouth, str(error).encode())
        os._exit(1)
    except BaseException as error:
        os.write(mouth, repr(error).encode())
        os._exit(2)
    os._exit(0)

def end(writer, ears):
    code = os.waitstatus_to_exitcode(os.waitpid(writer, 0)[1])
    said = os.read(ears, 10_000).decode()
    os.close(ears)
    return code, said, sorted(os.listdir(base))

begin = time.monotonic()
first = end(*start())
took = time.monotonic() - begin
random.seed(0)
killed = []
for _ in range(kills):
    writer, ears = start()
    time.sleep(random.uniform(0, 1.1 * took))
    os.kill(writer, signal.SIGKILL)
    killed.append(end(writer, ears))
at_once = [end(*writer) for writer in [start(), start()]]
full = [end(*start(limit)) for limit in (100, 1500, 60_000, 160_000)]
print(json.dumps({"first": [first], "killed": killed, "at_once": at_once, "full": full}))
"""


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return tmp_path_factory.mktemp("versions")


@pytest.fixture(scope="module")
def said(python, base):
    """By what happened to some pushes: exit code, message and the names in the folder after each.

    One after the other: one push, KILLS that were killed, two at once, four with a file size that
    is limited as by a disk that is full.
    """
    return json.loads(python(WRITERS, base, KILLS, CUDA_VISIBLE_DEVICES="-1"))


def numbers(names):
    return sorted(int(name) for name in names if name.isdigit())


def assert_complete(version):
    """The version holds every file of a whole one, and answers as the model does."""
    files = {str(path.relative_to(version)) for path in version.rglob("*") if path.is_file()}
    assert files == {
        "saved_model.pb",
        "fingerprint.pb",
        "variables/variables.index",
        "variables/variables.data-00000-of-00001",
        "assets.extra/architecture.json",
        "assets.extra/tf_serving_warmup_requests",
        "README.md",
        "config.json",
    }
    assert json.loads((version / "config.json").read_text())["numbers"] == list(range(30000))
    keras.utils.set_random_seed(0)
    waveform = np.random.default_rng(0).normal(size=(2, 4, 40)).astype(np.float32)
    expected = models.build("cnn", waveform_shape=(4, 40))(waveform, training=False)
    answer = Session(version).run("serving_default", {"waveform": waveform})["label"]
    np.testing.assert_allclose(answer, expected, rtol=0, atol=1e-5)


def test_a_killed_push_leaves_the_old_versions_or_those_and_a_whole_new_one(said, base):
    ((code, _, before),) = said["first"]
    assert code == 0
    assert set(before) == BESIDE | {"1"}
    assert len(said["killed"]) == KILLS
    for _, _, after in said["killed"]:
        new = [*numbers(before), max(numbers(before)) + 1]
        assert numbers(after) in (numbers(before), new)
        hidden = [name for name in after if name.startswith(".")]
        assert len(hidden) <= 3  # what this writer left, and what it was about to remove
        before = after
    for number in numbers(before):
        assert_complete(base / str(number))


def test_two_writers_at_once_get_a_version_each(said, base):
    before, after = said["killed"][-1][2], said["at_once"][-1][2]
    assert [code for code, _, _ in said["at_once"]] == [0, 0]
    next_one = max(numbers(before)) + 1
    assert numbers(after) == [*numbers(before), next_one, next_one + 1]
    assert set(after) == BESIDE | set(map(str, numbers(after)))
    assert_complete(base / str(next_one))
    assert_complete(base / str(next_one + 1))


def test_a_disk_that_is_full_ends_in_one_line_and_nothing_to_see(said, base):
    before = said["at_once"][-1][2]
    for code, message, after in said["full"]:
        assert code == 1, message
        assert message.startswith(f"--export_dir: cannot write a version to {base}: ")
        assert "\n" not in message
        assert "too large" in message
        assert after == before
    assert_complete(base / "1")


def test_what_a_dead_writer_left_is_removed_and_what_a_living_one_writes_is_not(tmp_path):
    for name in (".incomplete-dead", ".incomplete-living", ".removed-half"):
        (tmp_path / name / "variables").mkdir(parents=True)
    living = os.open(tmp_path / ".incomplete-living", os.O_RDONLY)
    fcntl.flock(living, fcntl.LOCK_EX)
    try:
        pusher.push(models.build("cnn", waveform_shape=(4, 40)), tmp_path, {})
        left = {path.name for path in tmp_path.iterdir()}
    finally:
        os.close(living)
    assert left == BESIDE | {"1", ".incomplete-living"}
    pusher.push(models.build("cnn", waveform_shape=(4, 40)), tmp_path, {})
    assert {path.name for path in tmp_path.iterdir()} == BESIDE | {"1", "2"}
