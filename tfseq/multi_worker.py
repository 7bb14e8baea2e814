"""The workers of a training on several machines: who they are, and that they agree.

TF_CONFIG, which Kubernetes' training operator sets too, names them:

    {"cluster": {"worker": ["a:4000", "b:4000"]}, "task": {"type": "worker", "index": 0}}

Worker 0 is the chief, the only one that writes. All read its checkpoints, from a shared folder.
"""

import contextlib
import dataclasses
import functools
import json
import os
import signal
import socket
import time
from collections.abc import Iterator
from typing import Any

import tensorflow as tf

from tfseq import reachability
from tfseq.errors import UserError

_EXPECTED = (
    '{"cluster": {"worker": ["host:port", ...]}, "task": {"type": "worker", "index": 0}}, '
    "with this worker's index"
)
# What a collective operation raises when a worker is gone.
_LOST = (
    tf.errors.AbortedError,
    tf.errors.CancelledError,
    tf.errors.DeadlineExceededError,
    tf.errors.UnavailableError,
)
_POLL_SECONDS = 0.2


@dataclasses.dataclass(frozen=True)
class Cluster:
    """The workers.

    Attributes:
        addresses: host:port of each.
        index: Which of them this process is.
    """

    addresses: tuple[str, ...]
    index: int

    @property
    def is_chief(self) -> bool:
        """Whether this worker writes."""
        return self.index == 0


@functools.cache
def cluster() -> Cluster:
    """Returns the workers that the environment variable TF_CONFIG names.

    Raises:
        UserError: If it is missing, or not as expected.
    """
    text = os.environ.get("TF_CONFIG")
    if not text:
        raise UserError(f"--config.strategy=multi_worker wants TF_CONFIG to be {_EXPECTED}")
    try:
        config = json.loads(text)
        jobs, task = config["cluster"], config["task"]
        addresses, index = tuple(jobs["worker"]), int(task["index"])
        ports = [int(address.rpartition(":")[2]) for address in addresses]
        valid = set(jobs) == {"worker"} and task["type"] == "worker"
        valid = valid and all(0 < port < 2**16 for port in ports)
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError):
        valid = False
    if not valid or not 0 <= index < len(addresses) or len(set(addresses)) < len(addresses):
        raise UserError(f"TF_CONFIG is {text}; expected {_EXPECTED}")
    return Cluster(addresses, index)


@functools.cache
def connect(wait_seconds: int) -> tf.distribute.MultiWorkerMirroredStrategy:
    """Waits for the other workers and returns the strategy that they train under.

    TensorFlow wants this to be the first that a process does with it.

    Args:
        wait_seconds: How long to wait. TensorFlow itself would wait without end.

    Raises:
        UserError: If TF_CONFIG is not as expected, or a worker does not appear.
    """
    _wait_for_others(cluster(), wait_seconds)
    handler = signal.getsignal(signal.SIGTERM)
    with lost_workers_told():
        strategy = tf.distribute.MultiWorkerMirroredStrategy()
    # TensorFlow takes SIGTERM over, and ignores it.
    signal.signal(signal.SIGTERM, handler)
    # Every worker has as many batches as the others; they need not ask before each.
    strategy.extended.experimental_enable_get_next_as_optional = False
    return strategy


def _wait_for_others(workers: Cluster, wait_seconds: int) -> None:
    """Listens where TensorFlow will, until all others listen."""
    own = workers.addresses[workers.index]
    missing = [address for address in workers.addresses if address != own]
    deadline = time.monotonic() + wait_seconds
    try:
        listener = socket.create_server(("", int(own.rpartition(":")[2])), backlog=len(missing) + 1)
    except OSError as error:
        raise UserError(f"TF_CONFIG: cannot listen at {own}: {error.strerror}") from error
    with listener:
        while missing := [address for address in missing if not reachability.listens(address)]:
            if time.monotonic() > deadline:
                raise UserError(
                    f"worker {workers.index} ({own}) waited {wait_seconds} seconds for "
                    f"{', '.join(missing)}; start all workers of TF_CONFIG, or wait longer with "
                    "--config.multi_worker.wait_seconds"
                )
            time.sleep(_POLL_SECONDS)


def agree(strategy: tf.distribute.Strategy, facts: dict[str, Any]) -> None:
    """Stops all workers if they do not agree.

    Args:
        strategy: Of `connect`.
        facts: What must be the same everywhere, by name, as JSON can hold it.

    Raises:
        UserError: On all workers: which of them differs from the chief, and in what.
    """
    chief, *others = everywhere(strategy, facts)
    for worker, other in enumerate(others, 1):
        for name in dict.fromkeys([*chief, *other]):
            mine, theirs = chief.get(name), other.get(name)
            if mine != theirs:
                addresses = cluster().addresses
                raise UserError(
                    f"the workers differ in {name}: worker 0 ({addresses[0]}) has {mine}, "
                    f"worker {worker} ({addresses[worker]}) has {theirs}"
                )


def everywhere(strategy: tf.distribute.Strategy, value: Any) -> list[Any]:
    """Returns what each worker called this with, in their order. All must call it.

    Args:
        strategy: Of `connect`.
        value: What JSON can hold.
    """
    text = tf.constant(list(json.dumps(value).encode()), tf.int32)

    @tf.function
    def gather() -> tuple[tf.Tensor, tf.Tensor]:
        def parts() -> tuple[tf.Tensor, tf.Tensor]:
            context = tf.distribute.get_replica_context()
            length = tf.shape(text)
            return context.all_gather(text, axis=0), context.all_gather(length, axis=0)

        return strategy.run(parts)

    with lost_workers_told():
        texts, lengths = (strategy.experimental_local_results(each)[0] for each in gather())
    per_replica = tf.split(texts, lengths.numpy())
    replicas = len(per_replica) // len(cluster().addresses)
    return [json.loads(bytes(each.numpy().tolist())) for each in per_replica[::replicas]]


@contextlib.contextmanager
def chief_first(strategy: tf.distribute.Strategy) -> Iterator[None]:
    """Runs a block on the chief, then on the others: what it builds, they find."""
    if not cluster().is_chief:
        everywhere(strategy, None)
    yield
    if cluster().is_chief:
        everywhere(strategy, None)


@contextlib.contextmanager
def lost_workers_told() -> Iterator[None]:
    """Has a block that waits for the other workers end in one line when one of them is gone.

    Raises:
        UserError: If one is.
    """
    try:
        yield
    except _LOST as error:
        cause = str(error).partition("aborted by: ")[2] or str(error)
        raise UserError(
            f"worker {cluster().index} stops, for another worker has stopped or cannot be reached; "
            "start all workers again, and the run goes on from its last checkpoint "
            f"(TensorFlow says: {cause.splitlines()[0]})"
        ) from error
