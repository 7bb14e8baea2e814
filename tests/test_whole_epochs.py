"""An epoch that lacks batches ends the training, before it is logged."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfseq.whole_epochs import WholeEpochs


def fit(path, *, batches=4, validation_batches=2, stop_after=None):
    """Trains for two epochs of 2 batches each, and logs them."""
    x = np.zeros((8, 3), np.float32)
    model = keras.Sequential([keras.layers.Dense(1)])
    model.compile("sgd", "mse")
    data = tf.data.Dataset.from_tensors((x, x[:, :1])).repeat(10)
    called = [WholeEpochs(2), keras.callbacks.CSVLogger(path)]
    if stop_after is not None:

        def stop(batch, logs):
            model.stop_training = batch == stop_after

        called.append(keras.callbacks.LambdaCallback(on_train_batch_end=stop))
    model.fit(
        data.take(batches),
        validation_data=data.take(validation_batches),
        steps_per_epoch=2,
        epochs=2,
        callbacks=called,
        shuffle=False,
        verbose=0,
    )


def rows(path):
    return len(path.read_text(encoding="utf-8").splitlines()) - 1


def test_whole_epochs_pass(tmp_path):
    fit(tmp_path / "history.csv")
    assert rows(tmp_path / "history.csv") == 2


@pytest.mark.filterwarnings("ignore:Your input ran out of data")
@pytest.mark.parametrize(
    ("given", "message", "logged"),
    [
        ({"batches": 3}, "epoch 2: the data ended after 1 of 2 training batches", 1),
        ({"validation_batches": 1}, "epoch 1: the data ended after 1 of 2 validation", 0),
    ],
)
def test_an_epoch_that_lacks_batches_is_an_error(given, message, logged, tmp_path):
    path = tmp_path / "history.csv"
    with pytest.raises(RuntimeError, match=message):
        fit(path, **given)
    assert max(0, rows(path)) == logged


def test_a_training_that_was_asked_to_stop_may_end_within_an_epoch(tmp_path):
    fit(tmp_path / "history.csv", stop_after=0)
    assert rows(tmp_path / "history.csv") == 1
