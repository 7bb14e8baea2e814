"""Logs for TensorBoard hold every epoch, and the process does not grow with the steps."""

import json

import pytest

SCRIPT = """
import json, sys
from pathlib import Path

from tfseq import cli

cli.import_tensorflow()
import keras
import numpy as np
import psutil
import tensorflow as tf

from tfseq import history

model = keras.Sequential([keras.layers.Input((1,)), keras.layers.Dense(1)])
model.compile("sgd", "mse")
logs = history.TensorBoard(Path(sys.argv[1]))
logs.set_model(model)
logs.on_train_begin()

def epochs(first, last):
    for epoch in range(first, last):
        for step in range(50):
            logs.on_train_batch_begin(step)
            logs.on_train_batch_end(step, {"loss": epoch + step / 64, "mae": epoch + step / 128})
        logs.on_test_begin()
        logs.on_test_end({"loss": epoch / 2 + 0.1})
        logs.on_epoch_end(epoch, {"loss": epoch / 2 + 0.1, "val_loss": epoch / 4 + 0.1})

process = psutil.Process()
epochs(0, 20)
before = process.memory_info().rss
epochs(20, 220)
grown = process.memory_info().rss - before
logs.on_train_end()

found, plugins = {}, set()
for path in Path(sys.argv[1]).rglob("events*"):
    for event in tf.compat.v1.train.summary_iterator(str(path)):
        for value in event.summary.value:
            if value.tag.startswith("epoch_"):
                tag = f"{path.parent.name} {value.tag}"
                number = tf.make_ndarray(value.tensor).item()
                found.setdefault(tag, []).append([event.step, number])
                plugins.add(value.metadata.plugin_data.plugin_name)
print(json.dumps({"grown": grown, "found": found, "plugins": list(plugins)}))
"""


@pytest.fixture(scope="module")
def logged(python, tmp_path_factory):
    """What 220 epochs of 50 steps logged, and the bytes by which 10,000 steps made it grow."""
    return json.loads(python(SCRIPT, tmp_path_factory.mktemp("logs")).splitlines()[-1])


def test_the_logs_hold_the_values_of_every_epoch(logged):
    for tag, factor in {"train epoch_loss": 0.5, "validation epoch_loss": 0.25}.items():
        steps, values = zip(*logged["found"][tag], strict=True)
        assert steps == tuple(range(220))
        assert values == pytest.approx([factor * step + 0.1 for step in steps])
    assert "train epoch_learning_rate" in logged["found"]
    assert logged["plugins"] == ["scalars"]  # the page of TensorBoard that shows them


def test_memory_does_not_grow_with_the_steps(logged):
    # With Keras's own callback: 19 MB.
    assert logged["grown"] < 3e6
