"""What two runs of the training command must agree in, bit by bit."""

import command
import keras
import numpy as np
import tensorflow as tf

from tfseq import transform  # noqa: F401 - registers a layer that Keras has to find


def weights(path):
    """Returns the weights of a checkpoint, and the variables of its optimizer."""
    model = keras.models.load_model(path)
    return [variable.numpy() for variable in (*model.weights, *model.optimizer.variables)]


def assert_same_arrays(values, others):
    assert len(values) == len(others) > 0
    for value, other in zip(values, others, strict=True):
        np.testing.assert_array_equal(value, other)


def exported(folder):
    """Returns the variables of the newest version in a folder's `exports`."""
    newest = max(folder.glob("exports/*/[0-9]*"), key=lambda path: int(path.name))
    reader = tf.train.load_checkpoint(newest / "variables" / "variables")
    # Integers are the states of dropout's generators, which no signature uses.
    types = reader.get_variable_to_dtype_map()
    names = sorted(name for name, dtype in types.items() if "/" in name and dtype.is_floating)
    return [reader.get_tensor(name) for name in names]


def assert_same_end(folder, other):
    """Weights, optimizer, random states, position, logs, scores and the newest export.

    Args:
        folder: Where a run with `--workdir=run --export_dir=exports` ended.
        other: Where another one did.
    """
    for name in ("last.keras", "best.keras"):
        paths = [each / "run" / "checkpoints" / name for each in (folder, other)]
        assert_same_arrays(*map(weights, paths))
        states = [command.training_state(path) for path in paths]
        assert states[0] == states[1]
    for read in (
        lambda cwd: (cwd / "run" / "logs" / "history.csv").read_bytes(),
        lambda cwd: command.read_json(cwd / "run" / "evaluation.json") | {"export": None},
    ):
        assert read(folder) == read(other)
    assert_same_arrays(*map(exported, (folder, other)))
