"""A tf.data service makes the batches of one process, in their order, whoever makes them."""

import cluster
import numpy as np
import pytest
import tensorflow as tf

from tfseq import data_service, example_gen
from tfseq.augmentation import Augmentation
from tfseq.errors import UserError
from tfseq.example_gen import Split
from tfseq.share import Share

service = tf.data.experimental.service


@pytest.fixture(scope="module")
def servers():
    """A dispatcher and two workers."""
    dispatcher = service.DispatchServer()
    address = dispatcher.target.partition("://")[2]
    workers = [
        service.WorkerServer(service.WorkerConfig(dispatcher_address=address)) for _ in range(2)
    ]
    yield dispatcher.target, workers
    for worker in workers:
        worker._stop()
    dispatcher._stop()


def taken(batches, count):
    return list(batches.take(count).as_numpy_iterator())


def assert_same(found, expected):
    assert len(found) == len(expected) > 0
    for mine, theirs in zip(found, expected, strict=True):
        for array, other in zip(mine, theirs, strict=True):
            np.testing.assert_array_equal(array, other)


@pytest.mark.parametrize(
    ("split", "changes"),
    [
        ("train", {}),
        ("train[5:30]", {"first_epoch": 1, "first_step": 2}),
        ("train", {"share": Share(1, 1, 2)}),
        ("train", {"augmentation": Augmentation(noise=0.1, shift=20)}),
    ],
    ids=["whole", "resumed", "a share", "augmented"],
)
def test_the_batches_are_those_of_one_process_in_their_order(split, changes, builder, servers):
    records = Split(builder, split)
    expected = example_gen.training_batches(records, 7, seed=3, cache="always", **changes)
    found = data_service.training_batches(records, 7, address=servers[0], seed=3, **changes)
    # More than two epochs. Each holds every record once, as `test_example_gen` shows.
    assert_same(taken(found, 17), taken(expected, 17))


def test_both_workers_take_part(builder, servers):
    address, workers = servers
    records = Split(builder, "train")
    batches = iter(data_service.training_batches(records, 7, address=address, seed=0))
    next(batches)
    assert all(worker._num_tasks() > 0 for worker in workers)


@pytest.mark.parametrize(
    ("address", "message"),
    [
        ("localhost:4000", "expected grpc://host:port, got 'localhost:4000'"),
        ("grpc://localhost", "expected grpc://host:port, got 'grpc://localhost'"),
        ("grpc://a..b:1", "no tf.data service can be reached at grpc://a..b:1"),
        (f"grpc://a:{'9' * 5000}", "no tf.data service can be reached at grpc://a:99"),
        (None, "no tf.data service can be reached at grpc://127.0.0.1:"),
    ],
)
def test_a_service_that_is_not_there_is_refused(address, message):
    address = address or f"grpc://{cluster.addresses(1)[0]}"
    with pytest.raises(UserError, match=f"--config.data.service: {message}") as refused:
        data_service.require(address)
    assert "\n" not in str(refused.value)


def test_a_batch_that_never_comes_is_told(monkeypatch):
    monkeypatch.setattr(data_service, "_MOST_WAITING", 3)
    numbered = tf.data.Dataset.from_tensor_slices(([0, 1, 3, 4, 5, 6, 7], np.zeros((7, 2))))
    ordered = data_service._in_order(numbered, 0)
    told = data_service.lost_batches_told()
    with pytest.raises(UserError, match="batch 2 never came") as refused, told:
        list(ordered)
    assert "\n" not in str(refused.value)
