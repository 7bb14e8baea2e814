"""The gate behind the ExampleValidator, which finds anomalies but lets a pipeline go on."""

import tensorflow as tf
from tensorflow_metadata.proto.v0 import anomalies_pb2
from tfx import v1 as tfx
from tfx.types import artifact_utils, standard_artifacts

from tfseq.errors import UserError


@tfx.dsl.components.component
def anomaly_gate(
    anomalies: tfx.dsl.components.InputArtifact[standard_artifacts.ExampleAnomalies],
) -> None:
    """A component that ends the pipeline where records are not as the schema wants them.

    Raises:
        UserError: If there is an anomaly; the message names splits, features and what was found.
    """
    found = []
    for split in artifact_utils.decode_split_names(anomalies.split_names):
        path = f"{anomalies.uri}/Split-{split}/SchemaDiff.pb"
        serialized = tf.io.gfile.GFile(path, "rb").read()
        of_split = anomalies_pb2.Anomalies.FromString(serialized)
        for feature, each in sorted(of_split.anomaly_info.items()):
            found.append(f"{split}, {feature}: {each.description.rstrip('.')}")
        if of_split.HasField("dataset_anomaly_info"):
            found.append(f"{split}: {of_split.dataset_anomaly_info.description.rstrip('.')}")
    if found:
        raise UserError(
            f"the ExampleValidator refuses the records: {'; '.join(found)} ({anomalies.uri})"
        )
