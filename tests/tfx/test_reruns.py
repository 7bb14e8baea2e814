"""A pipeline that is run again does again what has changed, and pushes what is no worse."""

import shutil

import pipelines
import pytest


@pytest.fixture(scope="module")
def again(cnn, data_dir, tmp_path_factory):
    """Returns a function that runs the CNN's pipeline again, on a copy of what it left.

    The metadata have absolute paths: only the folder of the metadata and the exports is new.
    """
    folder = tmp_path_factory.mktemp("again")
    (folder / "root").mkdir()
    shutil.copy(cnn.folder / "root" / "metadata.sqlite", folder / "root")

    def run(*arguments):
        given = (*pipelines.GOOD["cnn"], *pipelines.SMALL, f"--data_dir={data_dir}")
        run = pipelines.run(folder, *given, *arguments)
        run.finished.check()
        return run

    return run


def test_the_same_command_takes_all_that_it_can_from_the_cache(again):
    first = again()
    done = pipelines.states(first)
    cached = {name for name, state in done.items() if state == "from the cache"}
    # The model that was blessed last is now the model itself, which is no worse.
    assert {name for name, state in done.items() if state == "done"} == {
        "LatestBlessedModel",
        "Evaluator",
        "Pusher",
    }
    assert {"ImportExampleGen", "StatisticsGen", "Transform", "Trainer"} < cached
    versions = first.pushed()
    second = again()
    assert pipelines.states(second)["Evaluator"] == "from the cache"
    assert pipelines.states(second)["Pusher"] == "from the cache"
    assert second.pushed() == versions
    assert f"Pushed for TF Serving: {versions[-1]}\n" in second.finished.stdout


def test_a_model_that_is_worse_than_the_last_one_is_not_pushed(again):
    before = again().pushed()
    worse = again("--epochs=7")
    done = pipelines.states(worse)
    assert done["Transform"] == "from the cache"
    assert done["Trainer"] == done["Evaluator"] == "done"
    assert worse.finished.stdout.endswith(
        "Not pushed: its error is above that of the model that was blessed last.\n"
    )
    trained, last = (
        dict(zip(row[::2], map(float, row[1::2]), strict=True))
        for row in (done["trained"].split(), done["blessed"].split()[1:])
    )
    assert 0 < trained["r2"] < last["r2"]
    assert trained["mse"] > last["mse"]
    assert worse.pushed() == before
