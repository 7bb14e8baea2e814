"""An optimizer's update in one pass over the weights."""

import math
from collections.abc import Callable, Sequence

import keras
import tensorflow as tf

_LARGE = 1 << 20  # weights of an array from which XLA takes fewer passes over memory

Update = Callable[[tf.Tensor, tf.Variable, tf.Tensor], None]
"""What takes a gradient, a variable and the learning rate, and changes the variable."""


def fuse(optimizer: keras.optimizers.Optimizer) -> None:
    """Has an optimizer update arrays in one pass each where it can, on one processor.

    Keras's update is a dozen operations an array, which have to be called one by one, and each of
    which reads and writes arrays as large as the weights: RMSprop's moves some 60 bytes a weight
    and holds two more copies of them. TensorFlow has a single operation for small arrays. Large
    ones are done in a pass that XLA compiles, which reads gradient, weight and average once and
    writes the latter two: 20 bytes. The optimizer stays Keras's own, and is saved as such.

    Args:
        optimizer: Changed in place; it is built. Its `update_step` has what is held besides its
            variables, `scratch`.
    """
    update = optimizer.update_step
    scratch = _scratch(optimizer)
    at_once = _at_once(optimizer, scratch) or update

    def update_step(gradient: tf.Tensor, variable: tf.Variable, learning_rate: tf.Tensor) -> None:
        learning_rate = tf.cast(learning_rate, variable.dtype)
        if math.prod(variable.shape) < _LARGE:
            at_once(gradient, variable, learning_rate)
            return

        @tf.function(jit_compile=True)
        def in_one_pass(gradient: tf.Tensor, learning_rate: tf.Tensor) -> None:
            update(gradient, variable, learning_rate)

        in_one_pass(gradient, learning_rate)

    update_step.scratch = scratch
    optimizer.update_step = update_step


def _scratch(optimizer: keras.optimizers.Optimizer) -> list[keras.Variable]:
    """Returns room for what a momentum of 0 forgets: TensorFlow's RMSprop always has one."""
    if type(optimizer) is not keras.optimizers.RMSprop or optimizer.momentum:
        return []
    shapes = [slot.shape for slot in optimizer._velocities]
    return [
        keras.Variable(tf.zeros(shape if math.prod(shape) < _LARGE else 0), trainable=False)
        for shape in shapes
    ]


def _at_once(
    optimizer: keras.optimizers.Optimizer, scratch: Sequence[keras.Variable]
) -> Update | None:
    """Returns what updates an array by one operation of TensorFlow; None if there is none."""
    kind = type(optimizer)
    if kind in (keras.optimizers.Adam, keras.optimizers.AdamW) and not optimizer.amsgrad:
        return _adam(optimizer)
    if kind is keras.optimizers.RMSprop and not optimizer.centered:
        return _rmsprop(optimizer, optimizer._momentums or scratch)
    return _sgd(optimizer) if kind is keras.optimizers.SGD else None


def _adam(optimizer: keras.optimizers.Adam) -> Update:
    def update(gradient: tf.Tensor, variable: tf.Variable, learning_rate: tf.Tensor) -> None:
        step = tf.cast(optimizer.iterations + 1, variable.dtype)
        tf.raw_ops.ResourceApplyAdam(
            var=variable.handle,
            m=_slot(optimizer, optimizer._momentums, variable),
            v=_slot(optimizer, optimizer._velocities, variable),
            beta1_power=tf.pow(optimizer.beta_1, step),
            beta2_power=tf.pow(optimizer.beta_2, step),
            lr=learning_rate,
            beta1=optimizer.beta_1,
            beta2=optimizer.beta_2,
            epsilon=optimizer.epsilon,
            grad=gradient,
        )

    return update


def _rmsprop(optimizer: keras.optimizers.RMSprop, momentums: Sequence[keras.Variable]) -> Update:
    def update(gradient: tf.Tensor, variable: tf.Variable, learning_rate: tf.Tensor) -> None:
        tf.raw_ops.ResourceApplyRMSProp(
            var=variable.handle,
            ms=_slot(optimizer, optimizer._velocities, variable),
            mom=_slot(optimizer, momentums, variable),
            lr=learning_rate,
            rho=optimizer.rho,
            momentum=optimizer.momentum,
            epsilon=optimizer.epsilon,
            grad=gradient,
        )

    return update


def _sgd(optimizer: keras.optimizers.SGD) -> Update:
    def update(gradient: tf.Tensor, variable: tf.Variable, learning_rate: tf.Tensor) -> None:
        if not optimizer.momentum:
            tf.raw_ops.ResourceApplyGradientDescent(
                var=variable.handle, alpha=learning_rate, delta=gradient
            )
            return
        tf.raw_ops.ResourceApplyKerasMomentum(
            var=variable.handle,
            accum=_slot(optimizer, optimizer.momentums, variable),
            lr=learning_rate,
            grad=gradient,
            momentum=optimizer.momentum,
            use_nesterov=optimizer.nesterov,
        )

    return update


def _slot(
    optimizer: keras.optimizers.Optimizer,
    slots: Sequence[keras.Variable],
    variable: tf.Variable,
) -> tf.Tensor:
    """Returns what an optimizer keeps of a variable."""
    return slots[optimizer._get_variable_index(variable)].value.handle
