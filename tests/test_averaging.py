"""The averages of the weights are what is measured and kept; the weights are what is trained."""

import csv

import keras
import numpy as np
import pytest

from tfseq import averaging, configs, evaluator, optimizers, trainer
from tfseq.example_gen import Split


def test_the_average_keeps_its_part_of_the_former_one():
    optimizer = optimizers.make("sgd", 1.0, 0.0, average=0.75)
    weight = keras.Variable(np.zeros(1, np.float32))
    expected = None
    for step in range(1, 5):
        optimizer.apply([-np.ones(1, np.float32)], [weight])
        expected = step if expected is None else 0.75 * expected + 0.25 * step
    with averaging.averages(optimizer):
        np.testing.assert_allclose(weight.numpy(), [expected], rtol=1e-6)
    np.testing.assert_array_equal(weight.numpy(), [4.0])


def test_weights_return_to_the_bit_whatever_happens():
    optimizer = optimizers.make("adam", 0.1, 0.0, average=0.9)
    weight = keras.Variable(np.random.default_rng(0).normal(size=100).astype(np.float32) * 1e4)
    for scale in (1e-3, 1e3):
        optimizer.apply([np.full(100, scale, np.float32)], [weight])
    before = weight.numpy()
    with pytest.raises(KeyboardInterrupt), averaging.averages(optimizer):
        assert (weight.numpy() != before).any()
        raise KeyboardInterrupt
    np.testing.assert_array_equal(weight.numpy(), before)


def test_without_an_average_nothing_is_swapped():
    optimizer = optimizers.make("adam", 0.1, 0.0)
    weight = keras.Variable(np.zeros(1, np.float32))
    optimizer.apply([np.ones(1, np.float32)], [weight])
    before = weight.numpy()
    with averaging.averages(optimizer):
        np.testing.assert_array_equal(weight.numpy(), before)


@pytest.mark.parametrize("lowering", ["always", "never"])
def test_what_is_measured_kept_and_returned_are_the_averages(builder, tmp_path, lowering):
    config = configs.get("cnn")
    config.epochs, config.batch_size, config.lowering = 2, 8, lowering
    config.optimizer.name, config.optimizer.learning_rate = "adam", 0.01
    config.optimizer.average = 0.9
    validation = Split(builder, "validation")
    result = trainer.train(config, Split(builder, "train"), validation, tmp_path)

    with (tmp_path / "logs" / "history.csv").open() as file:
        logged = [float(row["val_loss"]) for row in csv.DictReader(file)]
    splits = evaluator.evaluate(evaluator.predictor(result.model), validation, [validation])
    assert splits["validation"]["metrics"]["mse"] == pytest.approx(min(logged), rel=1e-4)

    last, best = (
        keras.models.load_model(tmp_path / "checkpoints" / f"{name}.keras")
        for name in ("last", "best")
    )
    assert result.best_epoch == result.epochs == 2
    with averaging.averages(last.optimizer):
        for average, kept in zip(last.trainable_variables, best.trainable_variables, strict=True):
            np.testing.assert_array_equal(average.numpy(), kept.numpy())
    for weight, kept in zip(last.trainable_variables, best.trainable_variables, strict=True):
        assert (weight.numpy() != kept.numpy()).any()
