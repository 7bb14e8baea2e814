"""The errors of `tfseq.evaluator` as metrics of TensorFlow Model Analysis."""

from collections.abc import Iterable

import apache_beam as beam
from tensorflow_model_analysis.metrics import metric_types, metric_util
from tensorflow_model_analysis.proto import config_pb2

from tfseq.evaluator import Errors


class RecordError(metric_types.Metric):
    """An error over all steps of all records, as evaluation.json has it.

    Args:
        name: Which: mse, mae or r2.
    """

    def __init__(self, name: str) -> None:
        super().__init__(metric_util.merge_per_key_computations(_computations), name=name)


def _computations(
    name: str,
    eval_config: config_pb2.EvalConfig | None = None,
    model_name: str = "",
    output_name: str = "",
    example_weighted: bool = False,
) -> metric_types.MetricComputations:
    key = metric_types.MetricKey(
        name, model_name=model_name, output_name=output_name, example_weighted=example_weighted
    )
    return [metric_types.MetricComputation([key], None, _Combiner(key, eval_config))]


class _Combiner(beam.CombineFn):
    """Adds up the errors of records, which Beam may do on many machines."""

    def __init__(
        self, key: metric_types.MetricKey, eval_config: config_pb2.EvalConfig | None
    ) -> None:
        self._key = key
        self._eval_config = eval_config

    def create_accumulator(self) -> Errors:
        return Errors()

    def add_input(self, accumulator: Errors, element: metric_types.StandardMetricInputs) -> Errors:
        for label, prediction, _ in metric_util.to_label_prediction_example_weight(
            element,
            eval_config=self._eval_config,
            model_name=self._key.model_name,
            output_name=self._key.output_name,
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
        return {self._key: accumulator.metrics()[self._key.name]}


metric_types.register_metric(RecordError)
