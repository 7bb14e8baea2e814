"""What training asks of the processes that share its work: there is one, or there are several."""

import contextlib
import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf
from ml_collections import ConfigDict

from tfseq import checkpoint_files, fingerprint, multi_worker, run_config, training_step
from tfseq.example_gen import Split
from tfseq.share import Share


class One:
    """This process alone, on the devices of its machine.

    Args:
        config: The settings of the run.
    """

    share: Share | None = None
    writes = True

    def __init__(self, config: ConfigDict) -> None:
        self.strategy = training_step.make_strategy(config.strategy)

    def one_by_one(self) -> contextlib.AbstractContextManager:
        """Surrounds what prepares the data."""
        return contextlib.nullcontext()

    def agree_on_start(
        self, config: ConfigDict, training: Split, validation: Split, folder: Path
    ) -> None:
        """Nobody to agree with."""

    def agree_on_model(self, model: keras.Model) -> None:
        """Nobody to agree with."""

    def batches(self, make: Callable[[], tf.data.Dataset]) -> Any:
        """Returns what `fit` takes batches from."""
        return make()

    def working(self) -> contextlib.AbstractContextManager:
        """Surrounds the training."""
        return contextlib.nullcontext()


class Several:
    """One of the workers that TF_CONFIG names; see `tfseq.multi_worker`.

    Attributes:
        strategy: Of all of them.
        share: What this one takes of every batch.
        writes: Whether this one writes the files of the run: the chief does.
    """

    def __init__(self, config: ConfigDict) -> None:
        self.strategy = multi_worker.connect(config.multi_worker.wait_seconds)
        cluster = multi_worker.cluster()
        replicas = self.strategy.num_replicas_in_sync
        own = replicas // len(cluster.addresses)
        self.share = Share(cluster.index * own, own, replicas)
        self.writes = cluster.is_chief

    def one_by_one(self) -> contextlib.AbstractContextManager:
        """Surrounds what prepares the data: the chief builds it, the others then find it."""
        return multi_worker.chief_first(self.strategy)

    def agree_on_start(
        self, config: ConfigDict, training: Split, validation: Split, folder: Path
    ) -> None:
        """Stops all workers unless they begin with the same settings, records and checkpoint.

        This comes before there is a model: to make one the workers exchange its first weights.

        Raises:
            UserError: If they do not agree.
        """
        facts = run_config.flags(config)
        del facts["--config.multi_worker.wait_seconds"]
        for split in (training, validation):
            facts[f"the records of split {split.name}"] = fingerprint.of(split)[:12]
        found = checkpoint_files.describe(folder)
        for name in ("epoch", "step", "digest"):
            facts[f"the checkpoint's {name}"] = found.get(name, "no checkpoint")
        multi_worker.agree(self.strategy, facts)

    def agree_on_model(self, model: keras.Model) -> None:
        """Stops all workers unless they have the same weights and random states.

        Raises:
            UserError: If they do not agree.
        """
        digest = hashlib.sha256()
        for variable in model.variables:
            digest.update(variable.numpy().tobytes())
        multi_worker.agree(self.strategy, {"the weights": digest.hexdigest()[:12]})

    def batches(self, make: Callable[[], tf.data.Dataset]) -> Any:
        """Returns what `fit` takes this worker's shares of batches from."""
        return self.strategy.distribute_datasets_from_function(lambda _: make())

    @contextlib.contextmanager
    def working(self) -> Iterator[None]:
        """Surrounds the training: another worker's end is this one's.

        Raises:
            UserError: If another worker has stopped.
        """
        with multi_worker.lost_workers_told():
            yield


def of(config: ConfigDict) -> One | Several:
    """Returns the processes that train a run.

    Raises:
        UserError: If they are several and TF_CONFIG is not as expected, or one does not appear.
    """
    return Several(config) if config.strategy == "multi_worker" else One(config)
