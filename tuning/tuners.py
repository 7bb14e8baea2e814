"""Keras Tuner's oracles and its trial loop, over results that already know what has been run.

An oracle begins anew in every process. Its seed is fixed, and a trial that has a row is answered
from it, so that it comes back to where a stopped search stood without training anything twice.
Keras Tuner's own state is not relied on: a kill can tear it, and GridSearch forgets its queue.
"""

import math
import tempfile
import time
from collections.abc import Callable, Mapping
from typing import Any

import keras_tuner
import tensorflow as tf
from keras_tuner import errors, oracles

from tfseq.errors import UserError
from tfseq.tuning import afresh, distribution, kinds
from tfseq.tuning.hypermodel import TrialModel
from tfseq.tuning.plans import Plan
from tfseq.tuning.records import Data, levels

_OBJECTIVE = keras_tuner.Objective("score", "min")
_SEED = 1
_WORST = 10

Score = Callable[[Mapping[str, Any]], float]
"""What the search makes smaller, by a trial's row; infinity if it diverged."""


class GridOracle(oracles.GridSearchOracle):
    """Every combination once, in order, as soon as a worker asks for one.

    Keras Tuner's own waits for trials to end, lest they add to the space: workers that are free
    stand idle. Here they do so only when nothing is left, so that all of them and the chief end
    together.
    """

    def populate_space(self, trial_id: str) -> dict[str, Any]:
        """Returns the combination after the one that was started last."""
        if not self.start_order:
            return super().populate_space(trial_id)
        last = self.trials[self.start_order[-1]].hyperparameters.values
        values = self._get_next_combination(last)
        if values:
            return {"status": "RUNNING", "values": values}
        return {"status": "IDLE" if self.ongoing_trials else "STOPPED", "values": None}


class Tuner(keras_tuner.Tuner):
    """Runs the trials of an oracle.

    Args:
        oracle: Chooses the values.
        hypermodel: Trains them.
        score: What the oracle is told of a row.
        worst: What it is told at most: of trials that diverged, too.
        report: Called with plan and row after each trial that this process has run.
        **places: `directory` of Keras Tuner's state.
    """

    def __init__(
        self,
        oracle: keras_tuner.Oracle,
        hypermodel: TrialModel,
        score: Score,
        worst: float,
        report: Callable[[Plan, dict[str, Any]], None],
        **places: Any,
    ) -> None:
        self._score = score
        self._worst = worst
        self._report = report
        self._trained = 0
        super().__init__(oracle, hypermodel, **places)

    def search(self, *args: Any, **kwargs: Any) -> None:
        """Runs all trials; as the chief, waits until the workers have run them.

        Raises:
            UserError: If what all trials share does not fit the data or the machine.
        """
        # Every trial has a graph of its own, which TensorFlow takes for one traced again and again.
        tf.get_logger().setLevel("ERROR")
        try:
            super().search(*args, **kwargs)
        except _Refused as error:
            raise UserError(str(error)) from error

    def _populate_initial_space(self) -> None:
        """Builds no model to see what it asks for: the whole space is declared."""

    def pre_create_trial(self) -> None:
        """Leaves the chief some time between the questions of a worker that has nothing to do."""
        if distribution.is_distributed():
            time.sleep(0.2)

    def run_trial(self, trial: Any, *args: Any, **kwargs: Any) -> dict[str, float]:
        """Returns a trial's score; trains it if it has no row."""
        hp = trial.hyperparameters
        plan = self.hypermodel.plan_of(hp)
        row = plan.recorded()
        if row is None:
            row = self._train(hp, plan)
            self._trained += 1
            self._report(plan, row)
        return {"score": min(self._score(row), self._worst)}

    def on_trial_end(self, trial: Any) -> None:
        """Tells the oracle; ends the search if the process is to start afresh."""
        super().on_trial_end(trial)
        if afresh.is_due(self._trained):
            raise _Due

    def _train(self, hp: keras_tuner.HyperParameters, plan: Plan) -> dict[str, Any]:
        try:
            return self.hypermodel.fit(hp, self.hypermodel.build(hp))
        except UserError as error:
            if not plan.may_fail:
                raise _Refused(str(error)) from error
            return self.hypermodel.failed(hp, str(error))
        except tf.errors.ResourceExhaustedError:
            return self.hypermodel.failed(hp, "it does not fit into memory")
        except Exception as error:
            # Keras Tuner would go on with the next trial, and say nothing.
            raise errors.FatalRuntimeError(f"bug in a trial with {hp.values}") from error


class _Refused(errors.FatalError):
    """A mistake of the user's on its way through Keras Tuner, which lets its own errors by."""


class _Due(errors.FatalError):
    """It is time to start the process afresh."""


def search(
    oracle: keras_tuner.Oracle,
    hypermodel: TrialModel,
    score: Score,
    worst: float,
    report: Callable[[Plan, dict[str, Any]], None],
) -> None:
    """Runs all trials of an oracle; as the chief, waits until the workers have run them.

    Raises:
        UserError: If what all trials share does not fit the data or the machine.
    """
    due = False
    with tempfile.TemporaryDirectory() as directory:
        try:
            Tuner(oracle, hypermodel, score, worst, report, directory=directory).search(verbose=0)
        except _Due:
            due = True
    if due:
        afresh.start()


def worst_score(data: Data) -> float:
    """Returns the score of a trial that diverged; oracles that model the losses need a number.

    Args:
        data: Scores beyond so many times what predicting zero costs are all the same.
    """
    return math.inf if distribution.is_chief() else _WORST * levels(*data.whole)["zero"]


def new_oracle(
    kind: str,
    space: keras_tuner.HyperParameters,
    *,
    max_trials: int | None = None,
    epochs: int = 1,
) -> keras_tuner.Oracle:
    """Returns an oracle.

    Args:
        kind: One of `kinds.KINDS`.
        space: What it chooses from.
        max_trials: Trials at most; None is up to the oracle. "hyperband" has its own number.
        epochs: Of a whole training: "hyperband" gives most trials fewer, in `tuner/epochs`.
    """
    whole = {"allow_new_entries": False, "tune_new_entries": False, "hyperparameters": space}
    common = {"objective": _OBJECTIVE, "seed": _SEED, **whole}
    if kind == "hyperband":
        return oracles.HyperbandOracle(max_epochs=epochs, **common)
    if kind == kinds.GRID:
        return GridOracle(max_trials=max_trials, **common)
    if kind == "random":
        return oracles.RandomSearchOracle(max_trials=max_trials, **common)
    return oracles.BayesianOptimizationOracle(max_trials=max_trials, **common)
