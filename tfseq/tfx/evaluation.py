"""When a model is blessed."""

import tensorflow_model_analysis as tfma

_BETTER_THAN_THE_MEAN = 1e-9  # r2 of the best constant is 0, but for rounding


def config() -> tfma.EvalConfig:
    """Returns what the Evaluator measures, and what it asks of a model.

    - r2 above 0: its squared error is below that of the mean of the labels it is measured on, and
      so below that of any other number, such as the mean of the training labels.
    - mse not above that of the model that was blessed last, on the same records.
    """
    errors = tfma.MetricConfig(class_name="RecordErrors", module="tfseq.tfx.metrics")
    lower, higher = tfma.MetricDirection.LOWER_IS_BETTER, tfma.MetricDirection.HIGHER_IS_BETTER
    beats_the_mean = tfma.GenericValueThreshold(lower_bound={"value": _BETTER_THAN_THE_MEAN})
    does_not_worsen = tfma.GenericChangeThreshold(direction=lower, absolute={"value": 0.0})
    thresholds = {
        "r2": tfma.MetricThreshold(value_threshold=beats_the_mean),
        "mse": tfma.MetricThreshold(change_threshold=does_not_worsen),
    }
    return tfma.EvalConfig(
        model_specs=[
            tfma.ModelSpec(
                signature_name="serving_examples", label_key="label", prediction_key="label"
            )
        ],
        slicing_specs=[tfma.SlicingSpec()],
        metrics_specs=[tfma.MetricsSpec(metrics=[errors], thresholds=thresholds)],
    )
