"""An optimizer's update in one pass over the weights."""

import functools
import math
from collections.abc import Callable, Sequence

import keras
import tensorflow as tf

_LARGE = 1 << 20  # weights of an array from which XLA takes fewer passes over memory

Update = Callable[[tf.Tensor, tf.Variable], None]
"""What takes a gradient and a variable, and changes the variable."""

Begin = Callable[[tf.Tensor], Update]
"""What takes the learning rate, and returns the update of the arrays of a step."""


def fuse(optimizer: keras.optimizers.Optimizer) -> None:
    """Has an optimizer update arrays in one pass each where it can, on one processor.

    Keras's update is a dozen operations an array, which have to be called one by one, and each of
    which reads and writes arrays as large as the weights: RMSprop's moves some 60 bytes a weight
    and holds two more copies of them. TensorFlow has a single operation for small arrays. Large
    ones are done in a pass that XLA compiles, which reads gradient, weight and average once and
    writes the latter two: 20 bytes. The optimizer stays Keras's own, and is saved as such.

    Args:
        optimizer: Changed in place; it is built.
    """
    held = _scratch(optimizer)
    begin = _at_once(optimizer, held) or functools.partial(_as_keras, optimizer)

    def update_all(
        gradients: Sequence[tf.Tensor],
        variables: Sequence[keras.Variable],
        learning_rate: tf.Tensor,
    ) -> None:
        learning_rate = tf.cast(learning_rate, tf.float32)
        at_once = begin(learning_rate)
        for gradient, variable in zip(gradients, variables, strict=True):
            if math.prod(variable.shape) < _LARGE:
                at_once(gradient, variable.value)
            else:
                _in_one_pass(optimizer, gradient, variable.value, learning_rate)

    update_all.scratch = held
    optimizer._backend_update_step = update_all


def scratch(optimizer: keras.optimizers.Optimizer) -> Sequence[keras.Variable]:
    """Returns what an optimizer holds for its updates besides its variables."""
    return getattr(optimizer._backend_update_step, "scratch", ())


def _in_one_pass(
    optimizer: keras.optimizers.Optimizer,
    gradient: tf.Tensor,
    variable: tf.Variable,
    learning_rate: tf.Tensor,
) -> None:
    @tf.function(jit_compile=True)
    def update(gradient: tf.Tensor, learning_rate: tf.Tensor) -> None:
        optimizer.update_step(gradient, variable, learning_rate)

    update(gradient, learning_rate)


def _as_keras(optimizer: keras.optimizers.Optimizer, learning_rate: tf.Tensor) -> Update:
    return lambda gradient, variable: optimizer.update_step(gradient, variable, learning_rate)


def _scratch(optimizer: keras.optimizers.Optimizer) -> list[keras.Variable]:
    """Returns room for what a momentum of 0 forgets: TensorFlow's RMSprop always has one."""
    if type(optimizer) is not keras.optimizers.RMSprop or optimizer.momentum:
        return []
    shapes = [slot.shape for slot in optimizer._velocities]
    return [
        keras.Variable(tf.zeros(shape if math.prod(shape) < _LARGE else 0), trainable=False)
        for shape in shapes
    ]


def _at_once(optimizer: keras.optimizers.Optimizer, held: Sequence[keras.Variable]) -> Begin | None:
    """Returns what updates an array by one operation of TensorFlow; None if there is none."""
    kind = type(optimizer)
    if kind in (keras.optimizers.Adam, keras.optimizers.AdamW) and not optimizer.amsgrad:
        return functools.partial(_adam, optimizer)
    if kind is keras.optimizers.RMSprop and not optimizer.centered:
        return functools.partial(_rmsprop, optimizer, optimizer._momentums or held)
    return functools.partial(_sgd, optimizer) if kind is keras.optimizers.SGD else None


def _adam(optimizer: keras.optimizers.Adam, learning_rate: tf.Tensor) -> Update:
    step = tf.cast(optimizer.iterations + 1, tf.float32)
    betas = tf.constant([optimizer.beta_1, optimizer.beta_2])
    beta_1, beta_2 = tf.unstack(betas)
    beta_1_power, beta_2_power = tf.unstack(tf.pow(betas, step))
    settings = {
        "beta1": beta_1,
        "beta2": beta_2,
        "beta1_power": beta_1_power,
        "beta2_power": beta_2_power,
        "epsilon": tf.constant(optimizer.epsilon),
        "lr": learning_rate,
    }

    def update(gradient: tf.Tensor, variable: tf.Variable) -> None:
        tf.raw_ops.ResourceApplyAdam(
            var=variable.handle,
            m=_slot(optimizer, optimizer._momentums, variable),
            v=_slot(optimizer, optimizer._velocities, variable),
            grad=gradient,
            **settings,
        )

    return update


def _rmsprop(
    optimizer: keras.optimizers.RMSprop,
    momentums: Sequence[keras.Variable],
    learning_rate: tf.Tensor,
) -> Update:
    settings = {
        "rho": tf.constant(optimizer.rho),
        "momentum": tf.constant(float(optimizer.momentum)),
        "epsilon": tf.constant(optimizer.epsilon),
        "lr": learning_rate,
    }

    def update(gradient: tf.Tensor, variable: tf.Variable) -> None:
        tf.raw_ops.ResourceApplyRMSProp(
            var=variable.handle,
            ms=_slot(optimizer, optimizer._velocities, variable),
            mom=_slot(optimizer, momentums, variable),
            grad=gradient,
            **settings,
        )

    return update


def _sgd(optimizer: keras.optimizers.SGD, learning_rate: tf.Tensor) -> Update:
    def update(gradient: tf.Tensor, variable: tf.Variable) -> None:
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
