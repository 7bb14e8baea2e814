"""run_fn and tuner_fn keep TFX's contract, whoever has written the pipeline around them."""

import pipelines
import pytest
import tensorflow as tf
from tfx.components.trainer.fn_args_utils import DataAccessor, FnArgs
from tfx.components.util import tfxio_utils
from tfx.types import standard_artifacts

from tfseq import trainer, tuner
from tfseq.errors import UserError

CONFIG = {"model": {"name": "cnn"}, "epochs": 1, "batch_size": 25}


@pytest.fixture
def fn_args(cnn, tmp_path):
    """Returns a function that makes FnArgs as TFX does, on what the Transform wrote."""
    folder = cnn.output("Transform", "transformed_examples")
    (stored,) = (each for each in pipelines.artifacts(cnn)["Examples"] if each.uri == str(folder))
    examples = standard_artifacts.Examples()
    examples.set_mlmd_artifact(stored)
    factories = (
        tfxio_utils.get_tf_dataset_factory_from_artifact([examples], ["test"]),
        tfxio_utils.get_record_batch_factory_from_artifact([examples], ["test"]),
        tfxio_utils.get_data_view_decode_fn_from_artifact([examples], ["test"]),
    )

    def make(**changes):
        given = {
            "train_files": [f"{folder}/Split-train/*"],
            "eval_files": [f"{folder}/Split-validation/*"],
            "transform_graph_path": str(cnn.output("Transform", "transform_graph")),
            "data_accessor": DataAccessor(*factories),
            "serving_model_dir": str(tmp_path / "model"),
            "model_run_dir": str(tmp_path / "run"),
            "custom_config": {"config": CONFIG},
        }
        return FnArgs(**(given | changes))

    return make


def test_steps_are_whole_epochs(fn_args, tmp_path):
    trainer.run_fn(fn_args(train_steps=4))  # 50 records, 25 a step
    history = (tmp_path / "run" / "logs" / "history.csv").read_text(encoding="utf-8")
    assert len(history.splitlines()) == 1 + 2
    assert (tmp_path / "model" / "saved_model.pb").is_file()


def test_hyperparameters_change_the_settings(fn_args, tmp_path):
    values = {"optimizer.name": "adamw", "width_factor": 2.0, "tuner/epochs": 1}
    trainer.run_fn(fn_args(hyperparameters={"space": [], "values": values}))
    config = (tmp_path / "run" / "config.json").read_text(encoding="utf-8")
    assert '"name": "adamw"' in config
    loaded = tf.saved_model.load(str(tmp_path / "model"))
    assert "serving_examples" in loaded.signatures


def test_folders_may_be_on_another_file_system(fn_args):
    uris = {"serving_model_dir": "ram://tfx/model", "model_run_dir": "ram://tfx/run"}
    trainer.run_fn(fn_args(**uris))
    assert tf.io.gfile.exists("ram://tfx/run/checkpoints/best.keras")
    assert tf.io.gfile.exists("ram://tfx/model/assets.extra/tf_serving_warmup_requests")
    loaded = tf.saved_model.load("ram://tfx/model")
    label = loaded.signatures["serving_default"](waveform=tf.zeros((2, 4, 4000)))["label"]
    assert label.shape == (2, 4000)


def test_a_search_gives_the_best_of_all_its_trials(fn_args, capsys):
    custom = {"config": CONFIG, "search": {"kind": "bayesian", "max_trials": 2}}
    found = tuner.tuner_fn(fn_args(custom_config=custom, serving_model_dir=None))
    found.tuner.search(**found.fit_kwargs)
    scores = [
        float(line.split("best validation loss ")[1].split()[0])
        for line in capsys.readouterr().out.splitlines()
        if "best validation loss" in line
    ]
    assert len(scores) == 3
    best = found.tuner.get_best_hyperparameters(3)
    assert len({values.get("optimizer.learning_rate") for values in best}) == 3
    first = best[0].get_config()["values"]
    assert (first["optimizer.learning_rate"] == 1e-3) == (scores[0] == min(scores))
    assert len(found.tuner.oracle.get_best_trials(found.tuner.oracle.max_trials)) == 2


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"custom_config": None}, "names no model"),
        ({"custom_config": {"config": {"model": {"name": "nosuch"}}}}, "nosuch"),
        ({"custom_config": {"config": CONFIG | {"epoch": 3}}}, "no setting epoch"),
        ({"custom_config": {"config": CONFIG | {"batch_size": 0}}}, "batch_size"),
        ({"transform_graph_path": None}, "transform_graph"),
    ],
)
@pytest.mark.parametrize("function", [trainer.run_fn, tuner.tuner_fn])
def test_what_it_cannot_work_with_is_named(fn_args, function, changes, message):
    with pytest.raises(UserError, match=message):
        function(fn_args(**changes))
