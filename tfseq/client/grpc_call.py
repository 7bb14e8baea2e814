"""Asks TF Serving over gRPC; needs tensorflow-serving-api (`pip install 'tfseq[serving]'`).

Its messages refer to TensorFlow's own, so that TensorFlow is imported, which takes seconds.
"""

import importlib.util
from typing import TYPE_CHECKING

from tfseq import cli
from tfseq.client.calls import Call, Target, Unavailable
from tfseq.errors import UserError, reason

if TYPE_CHECKING:
    import grpc
    import numpy as np

BYTES_PER_VALUE = 4
"""float32."""

_CHANNEL_OPTIONS = (
    # gRPC waits a second and more before it looks for a lost server again; tfseq's retries decide.
    ("grpc.initial_reconnect_backoff_ms", 100),
    ("grpc.min_reconnect_backoff_ms", 100),
    ("grpc.max_reconnect_backoff_ms", 1000),
)


def tf_serving(target: Target, timeout: float) -> Call:
    """Returns a function that calls TF Serving's PredictionService.

    Args:
        target: Whom it asks.
        timeout: Seconds that a request may take.

    Raises:
        UserError: If tensorflow-serving-api is not installed.
    """
    # Asked first: nobody waits for TensorFlow to be told that something else is missing.
    if not importlib.util.find_spec("tensorflow_serving"):
        raise UserError(
            "--protocol=grpc needs tensorflow-serving-api: pip install 'tfseq[serving]'"
        )
    cli.import_tensorflow()
    import grpc
    import tensorflow as tf
    from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

    channel = grpc.insecure_channel(target.address, options=_CHANNEL_OPTIONS)
    service = prediction_service_pb2_grpc.PredictionServiceStub(channel)

    def call(waveform: "np.ndarray") -> "dict[str, np.ndarray]":
        request = predict_pb2.PredictRequest()
        request.model_spec.name = target.model
        request.model_spec.signature_name = target.signature
        if target.version is not None:
            request.model_spec.version.value = target.version
        elif target.version_label is not None:
            request.model_spec.version_label = target.version_label
        request.inputs["waveform"].CopyFrom(tf.make_tensor_proto(waveform))
        try:
            answer = service.Predict(request, timeout=timeout)
        except grpc.RpcError as error:
            raise _explained(error, target, timeout) from error
        outputs = {}
        for name, tensor in answer.outputs.items():
            try:
                outputs[name] = tf.make_ndarray(tensor)
            except (TypeError, ValueError) as error:
                raise UserError(
                    f"{target.address}: {name!r} of the answer is not an array: {reason(error)}"
                ) from error
        return outputs

    return call


def _explained(error: "grpc.RpcError", target: Target, timeout: float) -> Exception:
    import grpc

    status = error.code()
    if status == grpc.StatusCode.UNAVAILABLE:
        return Unavailable(f"--host: {target.address} is unavailable: {error.details()}")
    if status == grpc.StatusCode.DEADLINE_EXCEEDED:
        return UserError(
            f"{target.address}: no answer within {timeout:g} s; --timeout says how long to wait"
        )
    return UserError(f"{target.address}: the server answered {status.name}: {error.details()}")
