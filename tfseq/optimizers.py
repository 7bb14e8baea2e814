"""Optimizers with PyTorch's constants."""

from collections.abc import Sequence
from typing import Any

import keras


def make(
    name: str,
    learning_rate: float,
    momentum: float,
    *,
    schedule: str = "constant",
    warmup: float = 0.0,
    weight_decay: float = 0.0,
    clip_norm: float = 0.0,
    average: float = 0.0,
    steps: int = 1,
) -> keras.optimizers.Optimizer:
    """Returns an optimizer with PyTorch's constants, which the report trained with.

    Args:
        name: One of `tfseq.configs.OPTIMIZERS`.
        learning_rate: Step size; with a schedule the largest.
        momentum: Of "sgd" and "rmsprop".
        schedule: One of `tfseq.configs.SCHEDULES`: "constant", or "cosine", which falls to 0 by the
            last step (Loshchilov and Hutter, 2017, "SGDR").
        warmup: Part of the steps in which a schedule rises from 0.
        weight_decay: Part of the weights that decays a step, times the learning rate; 0 is none,
            and PyTorch's 0.01 of "adamw".
        clip_norm: Length above which the gradient of all weights is shortened; 0 never does.
        average: Part of the running average of the weights that a step keeps, such as 0.999; 0
            takes none (`tfseq.averaging`).
        steps: Steps of the whole run, for a schedule.
    """
    rate = _rate(learning_rate, schedule, warmup, steps)
    common = {"weight_decay": weight_decay or None, "global_clipnorm": clip_norm or None}
    if average:
        common |= {"use_ema": True, "ema_momentum": average}
    if name == "sgd":
        return keras.optimizers.SGD(rate, momentum=momentum, **common)
    if name == "rmsprop":
        # Keras adds epsilon inside the root: 1e-16 there is PyTorch's 1e-8 outside it.
        return keras.optimizers.RMSprop(rate, rho=0.99, momentum=momentum, epsilon=1e-16, **common)
    if name == "adamw":
        common["weight_decay"] = weight_decay or 0.01
        return keras.optimizers.AdamW(rate, epsilon=1e-8, **common)
    return keras.optimizers.Adam(rate, epsilon=1e-8, **common)


def beneath_loss_scaling(optimizer: keras.optimizers.Optimizer) -> keras.optimizers.Optimizer:
    """Returns the optimizer that updates the weights: not the one that scales float16's losses."""
    return getattr(optimizer, "inner_optimizer", optimizer)


def compute_rate_once(optimizer: keras.optimizers.Optimizer) -> None:
    """Has a step compute the learning rate once.

    Keras computes it for the update, and for the decay of every array anew: with a schedule, dozens
    of operations and a branch each, most of what there is to trace of a step of `seqnet`.

    Args:
        optimizer: Changed in place.
    """
    inner = beneath_loss_scaling(optimizer)
    update = inner._backend_apply_gradients

    def update_at_one_rate(gradients: Sequence[Any], variables: Sequence[keras.Variable]) -> None:
        before, rate = inner._get_current_learning_rate, inner.learning_rate
        inner._get_current_learning_rate = lambda: rate
        try:
            update(gradients, variables)
        finally:
            inner._get_current_learning_rate = before

    inner._backend_apply_gradients = update_at_one_rate


def _rate(
    learning_rate: float, schedule: str, warmup: float, steps: int
) -> float | keras.optimizers.schedules.LearningRateSchedule:
    if schedule == "constant":
        return learning_rate
    rising = round(warmup * steps)
    if not rising:
        return keras.optimizers.schedules.CosineDecay(learning_rate, steps)
    return keras.optimizers.schedules.CosineDecay(
        0.0, max(steps - rising, 1), warmup_target=learning_rate, warmup_steps=rising
    )
