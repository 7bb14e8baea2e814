"""What is compiled by XLA, where it was measured to pay; what one device is given."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfseq import configs, models, native, training_step
from tfseq.example_gen import Split
from tfseq.native.frames import LoweredToFrames
from tfseq.native.training import NativelyTrained
from tfseq.traced_once import AsItIs
from tfseq.training_step import WORTH_COMPILING, make_strategy, what_to_compile

SETTINGS = {"mlp": {"hidden_units": (8,), "dropout": 0}, "seqnet": {"filters": 8, "blocks": 1}}


def compiled(name, num_records=WORTH_COMPILING, *, on_gpu=True, **settings):
    config = configs.get(name)
    config.update(settings)
    return what_to_compile(
        models.build(name, **SETTINGS.get(name, {})), config, num_records, on_gpu=on_gpu
    )


@pytest.mark.parametrize("name", ["cnn", "conv_ae", "resnet"])
def test_convolutions_are_compiled_in_other_layouts_on_any_device(name):
    assert compiled(name, on_gpu=True) == compiled(name, on_gpu=False) == "lowered"


def test_those_of_many_channels_are_compiled_on_a_gpu_or_where_it_is_asked_for():
    assert compiled("seqnet", on_gpu=True) == "lowered"
    assert compiled("seqnet", on_gpu=False) == "nothing"
    for asked in ("always", "portable"):
        assert compiled("seqnet", on_gpu=False, lowering=asked) == "lowered"


def test_a_model_without_convolutions_is_compiled_on_a_gpu():
    assert compiled("mlp", on_gpu=True) == "model"
    assert compiled("mlp", on_gpu=False) == "nothing"


@pytest.mark.parametrize("name", ["cnn", "mlp"])
def test_short_epochs_are_compiled_when_told_to(name):
    assert compiled(name, WORTH_COMPILING - 1) == "nothing"
    assert compiled(name, WORTH_COMPILING - 1, lowering="always") != "nothing"
    assert compiled(name, lowering="never") == "nothing"


@pytest.mark.parametrize("name", ["cnn", "mlp"])
def test_deterministic_runs_on_a_gpu_are_compiled_when_told_to(name):
    assert compiled(name, deterministic=True) == "nothing"
    assert compiled(name, deterministic=True, lowering="always") != "nothing"
    assert compiled("cnn", on_gpu=False, deterministic=True) == "lowered"


def test_convolutions_in_bfloat16_are_left_alone():
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16")
    try:
        assert compiled("cnn", precision="mixed_bfloat16") == "nothing"
        assert compiled("mlp", precision="mixed_bfloat16") == "model"
    finally:
        keras.config.set_dtype_policy(before)


def test_a_cpu_takes_batches_where_they_are_made_and_a_gpu_has_them_brought():
    data = tf.data.Dataset.range(3)
    strategy = make_strategy("one_device")
    on_gpu = bool(tf.config.list_logical_devices("GPU"))
    assert (strategy.experimental_distribute_dataset(data) is data) == (not on_gpu)
    assert strategy.num_replicas_in_sync == 1


@pytest.mark.skipif(not native.available(), reason="needs a C++ compiler")
@pytest.mark.skipif(bool(tf.config.list_logical_devices("GPU")), reason="for a processor alone")
@pytest.mark.parametrize(
    ("name", "settings", "expected"),
    [
        ("cnn", {}, NativelyTrained),
        ("seqnet", {"filters": 16}, LoweredToFrames),
        ("seqnet", {"filters": 8}, AsItIs),  # they fill no vector
        ("mlp", {"hidden_units": (8,), "dropout": (0.0,)}, AsItIs),
    ],
)
def test_a_processor_trains_by_the_kernels_that_know_a_model(name, settings, expected):
    config = configs.get(name)
    config.model.update(settings)
    for lowering, trains in (("auto", expected), ("never", AsItIs)):
        config.lowering = lowering
        with tf.device("CPU:0"):
            model = training_step.new_model(config, (4, 400))
            fitted = training_step.to_fit(model, config, 8, make_strategy("one_device"))
        assert type(fitted) is trains


def test_a_model_is_made_for_the_training_records(builder):
    training = Split(builder, "train[:7]")
    waveforms, labels = (array.numpy() for array in training.in_memory())
    config = configs.get("seqnet")
    config.model.filters, config.model.blocks = 4, 1
    model = training_step.model_for(config, training)
    standardize, to_unit = model.get_layer("standardize"), model.get_layer("label")
    np.testing.assert_allclose(np.ravel(standardize.mean), waveforms.mean((0, 2)), atol=1e-5)
    assert to_unit.offset == pytest.approx(labels.mean(), rel=1e-5)
    assert to_unit.scale == pytest.approx(labels.std(), rel=1e-5)
    config.transform.standardize = config.transform.standardize_label = False
    names = [layer.name for layer in training_step.model_for(config, training).layers]
    assert "standardize" not in names
    assert names[-1] == "label"


def test_what_a_checkpoint_says_of_the_loss_scale_is_kept():
    keras.config.set_dtype_policy("mixed_float16")
    try:
        config = configs.get("mlp")
        config.model.hidden_units, config.model.dropout = (8,), (0.0,)
        config.precision = "mixed_float16"
        with tf.device("CPU:0"):
            model = training_step.new_model(config, (4, 40))
            model.optimizer.build(model.trainable_variables)
            before = [id(variable) for variable in model.optimizer.variables]
            model.optimizer.dynamic_scale.assign(64.0)
            fitted = training_step.to_fit(model, config, 8, make_strategy("one_device"))
        assert [id(variable) for variable in fitted.optimizer.variables] == before
        assert float(fitted.optimizer.dynamic_scale) == 64.0
    finally:
        keras.config.set_dtype_policy("float32")
