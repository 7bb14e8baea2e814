"""Servers of TF Serving's two interfaces: tensorflow_model_server, or a small one without it.

The small one loads a version with tf.saved_model.load and answers PredictionService.Predict (gRPC,
by tensorflow-serving-api's servicer) and POST /v1/models/<model>[/versions/N]:predict (HTTP), over
real sockets. It can be told to be unavailable for the first requests, and to be slow. Others give
the same answer to every request, whatever it is.
"""

import contextlib
import dataclasses
import http.server
import json
import re
import shutil
import socket
import subprocess
import threading
import time
import urllib.request
from concurrent import futures

import grpc
import numpy as np
import tensorflow as tf
from tensorflow_serving.apis import prediction_service_pb2_grpc
from tensorflow_serving.apis.predict_pb2 import PredictResponse

_PATH = re.compile(r"/v1/models/([^/:]+)(?:/versions/(\d+))?:predict")
_HTTP_STATUS = {
    grpc.StatusCode.INVALID_ARGUMENT: 400,
    grpc.StatusCode.NOT_FOUND: 404,
    grpc.StatusCode.UNAVAILABLE: 503,
}


class RefusalError(Exception):
    """An error with its status, as TF Serving answers it."""

    def __init__(self, status, message):
        super().__init__(message)
        self.status = status


@dataclasses.dataclass
class Servable:
    """A version that answers requests.

    Attributes:
        folder: The version folder, `<model>/<version>`.
        unavailable_for: So many requests are refused with UNAVAILABLE first.
        seconds: How long each answer takes.
        requests: How many requests came.
        rows: How many records each answered request held.
    """

    folder: object
    unavailable_for: int = 0
    seconds: float = 0.0
    requests: int = 0
    rows: list = dataclasses.field(default_factory=list)

    def __post_init__(self):
        self._loaded = tf.saved_model.load(str(self.folder))
        self._lock = threading.Lock()

    @property
    def serve(self):
        """The signature serving_default."""
        return self._loaded.signatures["serving_default"]

    def predict(self, model, version, signature, inputs):
        """Returns the outputs by name; `inputs` is a function from an input's spec to arrays."""
        with self._lock:
            self.requests += 1
            if self.requests <= self.unavailable_for:
                raise RefusalError(grpc.StatusCode.UNAVAILABLE, "Servable is loading")
        time.sleep(self.seconds)
        if model != self.folder.parent.name or version not in (None, int(self.folder.name)):
            asked = model if version is None else f"{model} version {version}"
            raise RefusalError(
                grpc.StatusCode.NOT_FOUND, f"Servable not found for request: {asked}"
            )
        name = signature or "serving_default"
        if name not in self._loaded.signatures:
            raise RefusalError(
                grpc.StatusCode.INVALID_ARGUMENT, f"Serving signature name: {name!r} not found"
            )
        serve = self._loaded.signatures[name]
        try:
            outputs = serve(**inputs(serve.structured_input_signature[1]))
        except (tf.errors.InvalidArgumentError, TypeError, ValueError, KeyError) as error:
            raise RefusalError(grpc.StatusCode.INVALID_ARGUMENT, str(error)) from error
        arrays = {name: value.numpy() for name, value in outputs.items()}
        self.rows.append(len(next(iter(arrays.values()))))
        return arrays


class _PredictionService(prediction_service_pb2_grpc.PredictionServiceServicer):
    def __init__(self, servable):
        self._servable = servable

    def Predict(self, request, context):  # noqa: N802 - gRPC's name
        spec = request.model_spec
        version = spec.version.value if spec.HasField("version") else None

        def inputs(_):
            return {
                name: tf.constant(tf.make_ndarray(tensor))
                for name, tensor in request.inputs.items()
            }

        try:
            outputs = self._servable.predict(spec.name, version, spec.signature_name, inputs)
        except RefusalError as refusal:
            context.abort(refusal.status, str(refusal))
        response = PredictResponse()
        for name, array in outputs.items():
            response.outputs[name].CopyFrom(tf.make_tensor_proto(array))
        return response


class _SameResponse(prediction_service_pb2_grpc.PredictionServiceServicer):
    def __init__(self, response):
        self._response = response

    def Predict(self, request, context):  # noqa: N802 - gRPC's name
        return self._response


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        status, encoded = self.answer(body)
        # A client that has given up does not take the answer.
        with contextlib.suppress(ConnectionError):
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(encoded)))
            self.end_headers()
            self.wfile.write(encoded)

    def answer(self, body):
        """Returns the status and what is sent back."""
        return 200, self.server.servable

    def log_message(self, *_):
        """Keeps quiet."""


class _ServableHandler(_Handler):
    def answer(self, body):
        try:
            status, answer = 200, {"outputs": self._outputs(body)}
        except RefusalError as refusal:
            status, answer = _HTTP_STATUS[refusal.status], {"error": str(refusal)}
        return status, json.dumps(answer).encode()

    def _outputs(self, body):
        match = _PATH.fullmatch(self.path)
        if not match:
            raise RefusalError(
                grpc.StatusCode.INVALID_ARGUMENT, f"Malformed request: POST {self.path}"
            )
        try:
            request = json.loads(body)
        except ValueError as error:
            raise RefusalError(
                grpc.StatusCode.INVALID_ARGUMENT, f"JSON Parse error: {error}"
            ) from error

        def inputs(specs):
            given = request["inputs"]
            return {
                name: tf.constant(np.asarray(given[name], spec.dtype.as_numpy_dtype))
                for name, spec in specs.items()
            }

        version = int(match[2]) if match[2] else None
        signature = request.get("signature_name")
        outputs = self.server.servable.predict(match[1], version, signature, inputs)
        lists = {name: array.tolist() for name, array in outputs.items()}
        # As TF Serving does: a single output is answered without its name.
        return lists if len(lists) > 1 else next(iter(lists.values()))


@contextlib.contextmanager
def rest(servable, port=0):
    """Serves HTTP while the block runs; gives the port. Bytes are the answer to every request."""
    handler = _Handler if isinstance(servable, bytes) else _ServableHandler
    server = http.server.ThreadingHTTPServer(("127.0.0.1", port), handler)
    server.servable = servable
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


@contextlib.contextmanager
def prediction_service(servable, port=0):
    """Serves gRPC while the block runs; gives the port. A response is that to every request."""
    service = _SameResponse if isinstance(servable, PredictResponse) else _PredictionService
    server = grpc.server(futures.ThreadPoolExecutor(4))
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(service(servable), server)
    bound = server.add_insecure_port(f"127.0.0.1:{port}")
    server.start()
    try:
        yield bound
    finally:
        server.stop(grace=None).wait()


@contextlib.contextmanager
def tf_serving(servable):
    """Serves both while the block runs; gives the ports by protocol.

    By tensorflow_model_server where it is installed, else by the small server.
    """
    if not shutil.which("tensorflow_model_server"):
        with rest(servable) as rest_port, prediction_service(servable) as grpc_port:
            yield {"rest": rest_port, "grpc": grpc_port}
        return
    ports = {"rest": free_port(), "grpc": free_port()}
    options = [f"--rest_api_port={ports['rest']}", f"--port={ports['grpc']}"]
    options += ["--model_name=cnn", f"--model_base_path={servable.folder.parent}"]
    process = subprocess.Popen(["tensorflow_model_server", *options])
    try:
        wait_for(f"http://127.0.0.1:{ports['rest']}/v1/models/cnn/metadata", process)
        yield ports
    finally:
        process.kill()
        process.wait()


def wait_for(url, process, seconds=60):
    """Waits until a URL answers with 200; fails if the process ends before."""
    for _ in range(seconds * 10):
        with contextlib.suppress(OSError), urllib.request.urlopen(url) as answer:
            if answer.status == 200:
                return
        assert process.poll() is None, f"the server ended with {process.returncode}"
        time.sleep(0.1)
    raise AssertionError(f"{url} did not answer within {seconds} s")


def free_port():
    """Returns a port that nothing listens on."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        return bound.getsockname()[1]
