"""When a model is blessed."""

import json

import tensorflow_model_analysis as tfma

_BETTER_THAN_THE_MEAN = 1e-9  # r2 of the best constant is 0, but for rounding


def config() -> tfma.EvalConfig:
    """Returns what the Evaluator measures, and what it asks of a model.

    - r2 above 0: its squared error is below that of the mean of the labels it is measured on, and
      so below that of any other number, such as the mean of the training labels.
    - mse not above that of the model that was blessed last, on the same records.
    """
    lower = tfma.MetricDirection.LOWER_IS_BETTER
    beats_the_mean = tfma.GenericValueThreshold(lower_bound={"value": _BETTER_THAN_THE_MEAN})
    does_not_worsen = tfma.GenericChangeThreshold(direction=lower, absolute={"value": 0.0})
    thresholds = {
        "mse": tfma.MetricThreshold(change_threshold=does_not_worsen),
        "mae": None,
        "r2": tfma.MetricThreshold(value_threshold=beats_the_mean),
    }
    metrics = [
        tfma.MetricConfig(
            class_name="RecordError",
            module="tfseq.tfx.metrics",
            config=json.dumps({"name": name}),
            threshold=threshold,
        )
        for name, threshold in thresholds.items()
    ]
    model = tfma.ModelSpec(
        signature_name="serving_examples", label_key="label", prediction_key="label"
    )
    return tfma.EvalConfig(
        model_specs=[model],
        slicing_specs=[tfma.SlicingSpec()],
        metrics_specs=[tfma.MetricsSpec(metrics=metrics)],
    )
