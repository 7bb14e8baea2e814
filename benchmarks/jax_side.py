"""tfseq on Keras's JAX backend, which runs the models where TensorFlow is not: on its device."""

import functools
import itertools
from collections.abc import Callable

import jax
import keras
import numpy as np

from benchmarks import contenders
from benchmarks.contenders import AS_THEY_ARE, BFLOAT16, CALL_STEPS, STRIPS
from tfseq import configs, optimizers
from tfseq.models import lowering, precision

_CALLS = CALL_STEPS["jax"]
_FEW = 1 << 21  # weights that XLA may well have as constants


def _network(side: str, name: str) -> keras.Model:
    if side == BFLOAT16:
        keras.config.set_dtype_policy("mixed_bfloat16")
    model = contenders.network(name)
    return model if side == AS_THEY_ARE else lowering.inference(model)


def training(side: str, name: str, waveform: np.ndarray, label: np.ndarray) -> Callable[[], float]:
    """Training steps as `fit` does them."""
    model = _network(side, name)
    config = configs.get(name)
    optimizer = optimizers.make(**config.optimizer)
    model.compile(optimizer=optimizer, loss=config.loss, metrics=["mae"])
    batch = (jax.device_put(waveform), jax.device_put(label))
    batches = itertools.repeat(batch)
    model._symbolic_build(data_batch=batch)
    optimizer.build(model.trainable_variables)
    model.make_train_function()
    state = model._get_jax_state(
        trainable_variables=True,
        non_trainable_variables=True,
        optimizer_variables=True,
        metrics_variables=True,
        purge_model_variables=True,
    )

    def call() -> float:
        nonlocal state
        for _ in range(_CALLS):
            logs, state = model.train_function(state, batches)
        return float(logs["loss"])

    return call


def inference(side: str, name: str, waveform: np.ndarray, *, in_a_row: bool) -> Callable[[], None]:
    """Calls of the model, compiled by XLA; weights that are few are constants to it.

    Each is waited for, or of those in a row the last.
    """
    x = jax.device_put(waveform)
    if side == STRIPS:
        infer = jax.jit(lowering.XlaInference(contenders.network(name)))
        return _calls(infer, x, in_a_row)
    model = precision.served(_network(side, name), "trained")
    if model.count_params() < _FEW:
        infer = jax.jit(lambda x: model(x, training=False))
    else:
        state = tuple(
            [variable.value for variable in variables]
            for variables in (model.trainable_variables, model.non_trainable_variables)
        )
        stateless = jax.jit(lambda state, x: model.stateless_call(*state, x, training=False)[0])
        infer = functools.partial(stateless, state)

    return _calls(infer, x, in_a_row)


def _calls(infer: Callable, x: jax.Array, in_a_row: bool) -> Callable[[], None]:
    def call() -> None:
        for _ in range(_CALLS):
            label = infer(x)
            if not in_a_row:
                label.block_until_ready()
        label.block_until_ready()

    return call
