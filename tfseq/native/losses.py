"""Loss and metrics of a training by a kernel, which reads labels and predictions once for all.

TensorFlow's are a dozen operations with their gradients, each of which goes through whole arrays: a
tenth of a step of `cnn` (docs/kernels.md).
"""

from typing import Any

import tensorflow as tf

from tfseq.models.image import Tensor
from tfseq.native.library import kernels


def mse(label: Tensor, prediction: Tensor) -> Tensor:
    """Returns the mean squared error of each record, (batch,).

    Args:
        label: (batch, steps), float32.
        prediction: As the label.

    Raises:
        tf.errors.InvalidArgumentError: If the shapes differ.
    """
    return _errors(label, prediction)[0]


def mae(label: Tensor, prediction: Tensor) -> Tensor:
    """Returns the mean absolute error of each record, see `mse`."""
    return _errors(label, prediction)[1]


_BY_NAME = {"mse": mse, "mae": mae}


def by_kernel(name: Any) -> Any:
    """Returns the function of a loss or a metric that has one here; others as they are."""
    return _BY_NAME.get(name, name) if isinstance(name, str) else name


def _errors(label: Tensor, prediction: Tensor) -> list[Tensor]:
    # Of the two calls of a step, with the same arrays, TensorFlow's graph optimizer leaves one.
    both = kernels().operations.tfseq_errors(label, prediction)
    for each in both:
        each.set_shape(prediction.shape[:-1])
    return list(both)


@tf.RegisterGradient("TfseqErrors")
def _gradients(errors: tf.Operation, squared: Tensor, absolute: Tensor) -> list[Tensor | None]:
    label, prediction = errors.inputs
    of_prediction = kernels().operations.tfseq_errors_gradients(
        label, prediction, squared, absolute
    )
    of_prediction.set_shape(prediction.shape)
    return [None, of_prediction]
