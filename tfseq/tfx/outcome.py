"""What became of a run of the pipeline, as its metadata and its evaluation tell it."""

from pathlib import Path
from typing import Any

import tensorflow_model_analysis as tfma
from ml_metadata.proto import metadata_store_pb2 as mlmd
from tfx import v1 as tfx
from tfx.orchestration import metadata

_ERRORS = ("mse", "mae", "r2")
_REASONS = {
    "r2": "the model's error is not below that of predicting the mean",
    "mse": "its error is above that of the model that was blessed last",
}
_STATES = {mlmd.Execution.COMPLETE: "done", mlmd.Execution.CACHED: "from the cache"}


def summary(metadata_path: Path) -> str:
    """Returns what the components of the last run did, and whether its model was pushed.

    Args:
        metadata_path: The SQLite file of the metadata.
    """
    connection = tfx.orchestration.metadata.sqlite_metadata_connection_config(str(metadata_path))
    with metadata.Metadata(connection) as handle:
        nodes = _nodes(handle.store)
    lines = [f"  {name:<20}{state}" for name, (state, _) in nodes.items()]
    artifacts = {key: each for _, outputs in nodes.values() for key, each in outputs.items()}
    evaluation = artifacts["evaluation"].uri
    pushed = artifacts["pushed_model"].custom_properties
    verdict = f"Not pushed: {_reason(evaluation)}."
    if pushed["pushed"].int_value:
        verdict = f"Pushed for TF Serving: {pushed['pushed_destination'].string_value}"
    return "\n".join(["", *lines, "", *_errors(evaluation), verdict])


def _nodes(store: Any) -> dict[str, tuple[str, dict[str, mlmd.Artifact]]]:
    """Returns by component of the last run its state, and its output artifacts by name."""
    run = max(store.get_contexts_by_type("pipeline_run"), key=lambda context: context.id)
    found = {}
    for execution in sorted(store.get_executions_by_context(run.id), key=lambda each: each.id):
        contexts = store.get_contexts_by_execution(execution.id)
        (node,) = (each.name for each in contexts if each.type == "node")
        events = store.get_events_by_execution_ids([execution.id])
        outputs = {
            event.path.steps[0].key: event.artifact_id
            for event in events
            if event.type == mlmd.Event.OUTPUT
        }
        artifacts = {each.id: each for each in store.get_artifacts_by_id(outputs.values())}
        state = _STATES.get(execution.last_known_state, "failed")
        found[node.rpartition(".")[2]] = (
            state,
            {name: artifacts[number] for name, number in outputs.items()},
        )
    return found


def _errors(evaluation: str) -> list[str]:
    """Returns the errors of the model, and of the one that was blessed last, a line each."""
    config = tfma.load_eval_results(evaluation).get_results()[0].config
    lines = []
    for model in config.model_specs:
        result = tfma.load_eval_result(evaluation, model_name=model.name)
        metrics = result.get_metrics_for_slice()
        values = "".join(f"{name:>6}{metrics[name]['doubleValue']:>10.4f}" for name in _ERRORS)
        lines.append(f"  {'blessed last' if model.is_baseline else 'trained':<14}{values}")
    return lines


def _reason(evaluation: str) -> str:
    result = tfma.load_validation_result(evaluation)
    failed = {
        failure.metric_key.name
        for of_slice in result.metric_validations_per_slice
        for failure in of_slice.failures
    }
    reasons = [reason for name, reason in _REASONS.items() if name in failed]
    return " and ".join(reasons) or "the InfraValidator did not bless the model"
