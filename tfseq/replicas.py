"""What replicas of a model, on several devices or machines, do otherwise than in Keras."""

import functools
from collections.abc import Callable
from typing import Any

import keras
import tensorflow as tf

from tfseq import optimizers


def clip_sum(optimizer: keras.optimizers.Optimizer) -> None:
    """Has an optimizer clip the sum of the replicas' gradients, which is that of the whole batch.

    Keras 3.15 clips what each replica has and sums after that: other steps than one device takes.

    Args:
        optimizer: Changed in place.
    """
    inner = optimizers.beneath_loss_scaling(optimizer)
    clip = inner._clip_gradients

    def clip_all(gradients: list[tf.Tensor]) -> list[tf.Tensor]:
        replica = tf.distribute.get_replica_context()
        return clip(replica.all_reduce(tf.distribute.ReduceOp.SUM, list(gradients)))

    # Not public, both of them: the first comes before the second.
    inner._clip_gradients = clip_all
    inner._all_reduce_sum_gradients = lambda pairs: pairs


def draw_own_masks(model: keras.Model) -> None:
    """Has each replica draw dropout masks of its own.

    The states of the random generators are the same on all replicas, and go on as they do on one:
    checkpoints hold them once. What is drawn from them follows from the replica's number too.

    Args:
        model: Changed in place.
    """
    for layer in model.layers:
        generator = getattr(layer, "seed_generator", None)
        if generator is not None:
            generator.next = functools.partial(_of_this_replica, generator.next)


def _of_this_replica(next_seed: Callable[..., tf.Tensor], *arguments: Any) -> tf.Tensor:
    seed = next_seed(*arguments)
    replica = tf.distribute.get_replica_context()
    if replica is None:
        return seed
    number = tf.cast(replica.replica_id_in_sync_group, seed.dtype)
    return tf.random.experimental.stateless_fold_in(seed, number)
