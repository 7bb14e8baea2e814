"""What TFX's Tuner runs: the search of `tfseq.tuning.tune`, on transformed records."""

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import keras_tuner
from ml_collections import ConfigDict

from tfseq.tfx import records, settings
from tfseq.tuning import kinds, space, tuners, tuning_run
from tfseq.tuning.records import Data


class TunerFnResult(NamedTuple):
    """What TFX expects of `tuner_fn`."""

    tuner: keras_tuner.Tuner
    fit_kwargs: Mapping[str, Any]


def of(fn_args: Any) -> TunerFnResult:
    """Returns the search around a model's settings, see `tfseq.tuner.tuner_fn`."""
    config = settings.of(fn_args.custom_config)
    given = {"kind": "random", "max_trials": 30, **fn_args.custom_config.get("search", {})}
    search = OpenSearch(config, Data.of_splits(*records.of(fn_args)), **given)
    return TunerFnResult(search, {"verbose": 0})


class OpenSearch(tuners.Tuner):
    """A search that tries the settings themselves first: what it finds is no worse.

    Args:
        config: The settings.
        data: The records.
        kind: One of `kinds.OPEN`.
        max_trials: Trials at most; "hyperband" has its own number.
    """

    def __init__(self, config: ConfigDict, data: Data, *, kind: str, max_trials: int) -> None:
        self._config = config
        # Lives as long as the search: what lasts is what TFX reads of it.
        self._folder = tempfile.TemporaryDirectory()
        self._workdir = Path(self._folder.name)
        oracle = self._oracle(kind, max_trials)
        model = tuning_run.trial_model(config, self._workdir, data)
        trials = (model, tuning_run.score, tuners.worst_score(data), tuning_run.report)
        self._first = lambda: tuners.search(self._oracle(kinds.GRID, 1), *trials)
        super().__init__(oracle, *trials, directory=self._folder.name)

    def _oracle(self, kind: str, max_trials: int) -> keras_tuner.Oracle:
        declared, epochs = space.declare(self._config), self._config.epochs
        return tuners.new_oracle(kind, declared, max_trials=max_trials, epochs=epochs)

    def search(self, *args: Any, **kwargs: Any) -> None:
        """Runs all trials.

        Raises:
            UserError: If what all trials share does not fit the data or the machine.
        """
        self._first()
        super().search(*args, **kwargs)

    def search_space_summary(self, extended: bool = False) -> None:
        """Prints nothing of what TFX asks for before a search."""

    def results_summary(self, num_trials: int = 10) -> None:
        """Prints nothing of what TFX asks for after it: every trial has had its line."""

    def get_best_hyperparameters(self, num_trials: int = 1) -> list[keras_tuner.HyperParameters]:
        """Returns the values of the whole trials with the lowest validation loss, best first.

        Raises:
            UserError: If no whole trial has a finite loss.
        """
        best = sorted(tuning_run.whole_trials(self._workdir), key=tuning_run.score)
        found = []
        for row in best[:num_trials]:
            values = space.declare(self._config)
            values.values = row["values"]
            found.append(values)
        return found
