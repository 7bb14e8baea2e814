"""A run of the pipeline goes from a data set's records to a pushed model, and loses nothing."""

import command
import keras
import numpy as np
import pipelines
import pytest
import tensorflow as tf
import tensorflow_data_validation as tfdv
import tensorflow_model_analysis as tfma
from tensorflow_metadata.proto.v0 import anomalies_pb2

from tfseq import configs, evaluator, trainer
from tfseq.example_gen import Split
from tfseq.saved_model import SavedModel

COMPONENTS = (
    *("ImportExampleGen", "RecordView", "StatisticsGen", "ImportSchemaGen", "ExampleValidator"),
    *("AnomalyGate", "Transform", "Trainer", "LatestBlessedModel", "Evaluator", "Pusher"),
)
SPLITS = ("train", "validation", "test")


@pytest.mark.parametrize("model", pipelines.GOOD)
def test_every_component_runs_and_the_model_is_pushed(pushed, model):
    run = pushed(model).result()
    stdout = run.finished.check().stdout
    assert {name: pipelines.states(run).get(name) for name in COMPONENTS} == dict.fromkeys(
        COMPONENTS, "done"
    )
    (version,) = run.pushed()
    assert version.parent.name == model
    assert f"Pushed for TF Serving: {version}\n" in stdout


def test_tfx_and_tensorflow_keep_their_messages_to_themselves(cnn):
    assert cnn.finished.stderr == ""


def test_the_metadata_hold_what_each_component_wrote(cnn):
    found = pipelines.artifacts(cnn)
    assert {kind: len(each) for kind, each in found.items()} == {
        "Examples": 3,  # imported, seen through the view, transformed
        "ExampleStatistics": 1,
        "Schema": 1,
        "ExampleAnomalies": 1,
        "TransformGraph": 1,
        "TransformCache": 1,
        "Model": 1,
        "ModelRun": 1,
        "ModelBlessing": 1,
        "ModelEvaluation": 1,
        "PushedModel": 1,
    }
    assert found["ModelBlessing"][0].custom_properties["blessed"].int_value == 1
    pushed = found["PushedModel"][0].custom_properties
    assert pushed["pushed_destination"].string_value == str(cnn.pushed()[0])


def test_the_examples_are_those_of_the_data_set_s_files(cnn, builder):
    for split in SPLITS:
        files = sorted(map(str, builder.data_path.glob(f"*-{split}.tfrecord*")))
        stored = tf.data.TFRecordDataset(files)
        (file,) = (cnn.output("ImportExampleGen", "examples") / f"Split-{split}").iterdir()
        imported = tf.data.TFRecordDataset(str(file), "GZIP")
        assert {each.numpy() for each in imported} == {each.numpy() for each in stored}


def test_statistics_and_anomalies_are_of_numbers_not_of_bytes(cnn, builder):
    path = cnn.output("StatisticsGen", "statistics") / "Split-validation" / "FeatureStats.pb"
    (dataset,) = tfdv.load_stats_binary(str(path)).datasets
    features = {feature.path.step[0]: feature for feature in dataset.features}
    examples = list(Split(builder, "validation").examples().as_numpy_iterator())
    for name in ("waveform", "label"):
        values = np.stack([each[name] for each in examples])
        found = features[name].num_stats
        assert found.common_stats.num_non_missing == len(examples)
        assert found.common_stats.max_num_values == values[0].size
        assert found.mean == pytest.approx(values.mean(dtype=np.float64), rel=1e-6)
        assert (found.min, found.max) == (values.min(), values.max())
    for split in SPLITS:
        path = cnn.output("ExampleValidator", "anomalies") / f"Split-{split}" / "SchemaDiff.pb"
        found = anomalies_pb2.Anomalies.FromString(path.read_bytes())
        assert not found.anomaly_info
        assert not found.HasField("dataset_anomaly_info")


def test_the_trainer_trains_as_the_training_command_does(cnn, builder, tmp_path):
    config = configs.named("cnn_time")
    config.epochs, config.batch_size = 10, 5
    trainer.train(config, Split(builder, "train"), Split(builder, "validation"), tmp_path)
    logs = [tmp_path / "logs", cnn.output("Trainer", "model_run") / "logs"]
    command_s, trainer_s = (
        np.genfromtxt(folder / "history.csv", delimiter=",", names=True) for folder in logs
    )
    assert len(trainer_s) == 10
    for column in ("loss", "val_loss"):
        np.testing.assert_allclose(trainer_s[column], command_s[column], rtol=1e-4)


@pytest.mark.parametrize("model", pipelines.GOOD)
def test_the_pushed_version_gives_the_trainer_s_outputs(pushed, builder, model):
    run = pushed(model).result()
    trained = keras.models.load_model(
        run.output("Trainer", "model_run") / "checkpoints" / "best.keras"
    )
    waveform, _ = next(Split(builder, "test").records().batch(20).as_numpy_iterator())
    served = SavedModel(run.pushed()[0]).predict(waveform)
    np.testing.assert_allclose(served, trained.predict(waveform, verbose=0), atol=1e-5)


@pytest.mark.parametrize("model", pipelines.GOOD)
def test_the_pushed_version_has_what_tfseq_s_own_exports_have(pushed, model):
    (version,) = pushed(model).result().pushed()
    signatures = tf.saved_model.load(str(version)).signatures
    outputs = {name: set(each.structured_outputs) for name, each in signatures.items()}
    answered = {"label"} | ({"interval"} if model == "resnet" else set())
    assert outputs == {
        "serving_default": answered,
        "serving_examples": answered,
        "validate": answered | {"valid"},
    }
    assert f"# {model}" in (version / "README.md").read_text(encoding="utf-8")
    assert command.read_json(version / "config.json")["model"]["name"] == model
    evaluation = command.read_json(version / "evaluation.json")
    assert set(evaluation["splits"]) == {"validation"}
    checked = command.run("infra_validator", f"--saved_model={version}", cwd=version)
    assert "6 requests answered" in checked.check().stdout


def test_the_evaluator_measures_as_evaluation_json_does(cnn, builder):
    result = tfma.load_eval_result(str(cnn.output("Evaluator", "evaluation")))
    found = {name: value["doubleValue"] for name, value in result.get_metrics_for_slice().items()}
    splits = evaluator.evaluate(
        SavedModel(cnn.pushed()[0]).predict, Split(builder, "train"), [Split(builder, "test")]
    )
    assert found == pytest.approx(splits["test"]["metrics"], rel=1e-5)
    assert found["mse"] < splits["test"]["baselines"]["mean"]["mse"]
    printed = "".join(f"{name:>6}{found[name]:>10.4f}" for name in ("mse", "mae", "r2"))
    assert printed in cnn.finished.stdout


def test_transformed_examples_are_the_records_in_their_order(cnn, builder):
    features = {
        "waveform": tf.io.FixedLenFeature((4, 4000), tf.float32),
        "label": tf.io.FixedLenFeature((4000,), tf.float32),
        "record_id": tf.io.FixedLenFeature((), tf.string),
        "group": tf.io.FixedLenFeature((), tf.string),
    }
    for split in ("train", "validation"):
        folder = cnn.output("Transform", "transformed_examples") / f"Split-{split}"
        files = sorted(map(str, folder.iterdir()))
        transformed = [
            tf.io.parse_single_example(record, features)
            for record in tf.data.TFRecordDataset(files, "GZIP")
        ]
        stored = Split(builder, split).examples().as_numpy_iterator()
        for found, expected in zip(transformed, stored, strict=True):
            for name in features:
                np.testing.assert_array_equal(found[name].numpy(), expected[name])
