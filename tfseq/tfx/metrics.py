"""The errors of `tfseq.evaluator` as a metric of TensorFlow Model Analysis."""

from collections.abc import Iterable
from typing import Any

import apache_beam as beam
import tensorflow_model_analysis as tfma
from tensorflow_model_analysis.metrics import metric_types, metric_util

from tfseq.evaluator import Errors

NAMES = ("mse", "mae", "r2")


class RecordErrors(tfma.metrics.Metric):
    """mse, mae and r2 over all steps of all records, as evaluation.json has them."""

    def __init__(self, name: str = "record_errors") -> None:
        super().__init__(metric_util.merge_per_key_computations(_computations), name=name)


def _computations(
    name: str,
    eval_config: tfma.EvalConfig | None = None,
    model_name: str = "",
    output_name: str = "",
    **_: Any,
) -> metric_types.MetricComputations:
    keys = {
        each: metric_types.MetricKey(name=each, model_name=model_name, output_name=output_name)
        for each in NAMES
    }
    combiner = _Combiner(keys, eval_config)
    return [metric_types.MetricComputation(list(keys.values()), None, combiner)]


class _Combiner(beam.CombineFn):
    """Adds up the errors of records, which Beam may do on many machines."""

    def __init__(
        self, keys: dict[str, metric_types.MetricKey], eval_config: tfma.EvalConfig | None
    ) -> None:
        self._keys = keys
        self._eval_config = eval_config

    def create_accumulator(self) -> Errors:
        return Errors()

    def add_input(self, accumulator: Errors, element: metric_types.StandardMetricInputs) -> Errors:
        key = self._keys["mse"]
        for label, prediction, _ in metric_util.to_label_prediction_example_weight(
            element,
            eval_config=self._eval_config,
            model_name=key.model_name,
            output_name=key.output_name,
            flatten=False,
        ):
            accumulator.add(prediction, label)
        return accumulator

    def merge_accumulators(self, accumulators: Iterable[Errors]) -> Errors:
        merged = Errors()
        for each in accumulators:
            merged.merge(each)
        return merged

    def extract_output(self, accumulator: Errors) -> dict[metric_types.MetricKey, float]:
        metrics = accumulator.metrics()
        return {key: metrics[name] for name, key in self._keys.items()}


metric_types.register_metric(RecordErrors)
