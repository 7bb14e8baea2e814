"""What became of a run of the pipeline, as its metadata and its evaluation tell it."""

from pathlib import Path
from typing import Any

import tensorflow_model_analysis as tfma
from ml_metadata.proto import metadata_store_pb2 as mlmd
from tfx import v1 as tfx
from tfx.orchestration import metadata

_STATES = {mlmd.Execution.COMPLETE: "done", mlmd.Execution.CACHED: "from the cache"}


def summary(metadata_path: Path) -> str:
    """Returns what the components of the last run did, and whether its model was pushed.

    Args:
        metadata_path: The SQLite file of the metadata.
    """
    connection = tfx.orchestration.metadata.sqlite_metadata_connection_config(str(metadata_path))
    with metadata.Metadata(connection) as handle:
        nodes = _nodes(handle.store)
    lines = [f"  {name:<22}{state}" for name, (state, _) in nodes.items()]
    artifacts = {name: each for _, found in nodes.values() for name, each in found.items()}
    lines += ["", f"  {_errors(artifacts['evaluation'].uri)}"]
    pushed = artifacts["pushed_model"]
    if pushed.custom_properties["pushed"].int_value:
        return "\n".join([*lines, f"Pushed: {pushed.custom_properties['pushed_destination'].string_value}"])
    return "\n".join([*lines, f"Not pushed: {_reason(artifacts)}"])


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


def _errors(uri: str) -> str:
    """Returns the errors of the model, and of the one that was blessed before."""
    metrics = tfma.load_eval_result(uri).get_metrics_for_slice()
    return str(metrics)


def _reason(artifacts: dict[str, mlmd.Artifact]) -> str:
    return "?"
