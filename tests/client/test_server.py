"""MLServer serves an export over KServe V2: REST and gRPC give the labels that the export does."""

import json
import os
import subprocess
import sys
import urllib.error
import urllib.request
from concurrent import futures
from pathlib import Path

import command
import numpy as np
import prediction_server
import pytest

from tfseq.client import rest_call
from tfseq.client.calls import Target
from tfseq.serving import signatures

pytestmark = pytest.mark.skipif(
    sys.version_info >= (3, 13), reason="MLServer 1.7 supports Python up to 3.12"
)
WAVEFORMS = np.random.default_rng(0).normal(size=(90, 4, 4000)).astype(np.float32)


@pytest.fixture(scope="module")
def version(golden_model, tmp_path_factory):
    """The version folder of an exported CNN."""
    folder = tmp_path_factory.mktemp("exports") / "cnn" / "1"
    signatures.save(golden_model("cnn"), folder)
    return folder


@pytest.fixture(scope="module")
def expected(version):
    """The labels of WAVEFORMS, computed in this process."""
    return prediction_server.Servable(version).serve(waveform=WAVEFORMS)["label"].numpy()


@pytest.fixture(scope="module")
def server(version, tmp_path_factory):
    """Ports of MLServer, by protocol."""
    folder = tmp_path_factory.mktemp("mlserver")
    ports = {name: prediction_server.free_port() for name in ("http", "grpc", "metrics")}
    settings = {f"{name}_port": port for name, port in ports.items()}
    settings |= {"host": "127.0.0.1", "parallel_workers": 0, "debug": False}
    model = {
        "name": "cnn",
        "implementation": "serving_runtime.SavedModelRuntime",
        "parameters": {"uri": str(version), "version": "1"},
    }
    (folder / "settings.json").write_text(json.dumps(settings))
    (folder / "model-settings.json").write_text(json.dumps(model))
    environment = {"PYTHONPATH": str(Path(__file__).parent), "CUDA_VISIBLE_DEVICES": "-1"}
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            [Path(sys.executable).with_name("mlserver"), "start", folder],
            cwd=folder,
            env=os.environ | environment,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    try:
        ready = f"http://127.0.0.1:{ports['http']}/v2/models/cnn/ready"
        prediction_server.wait_for(ready, process)
        yield ports
    finally:
        process.terminate()
        process.wait()


def rest(server):
    """Returns a function that asks the server over REST."""
    return rest_call.kserve(Target("127.0.0.1", server["http"], model="cnn"), timeout=60)


def infer(server, waveform, shape=None):
    """Asks the server over gRPC; returns the label."""
    import grpc
    from mlserver.grpc import dataplane_pb2, dataplane_pb2_grpc

    tensor = dataplane_pb2.ModelInferRequest.InferInputTensor(
        name="waveform", datatype="FP32", shape=shape or waveform.shape
    )
    tensor.contents.fp32_contents.extend(waveform.ravel().tolist())
    request = dataplane_pb2.ModelInferRequest(model_name="cnn", inputs=[tensor])
    with grpc.insecure_channel(f"127.0.0.1:{server['grpc']}") as channel:
        stub = dataplane_pb2_grpc.GRPCInferenceServiceStub(channel)
        (label,) = stub.ModelInfer(request, timeout=60).outputs
    return np.array(label.contents.fp32_contents, np.float32).reshape(label.shape)


def post(server, body):
    """Returns the status and the text with which the server answers a body."""
    url = f"http://127.0.0.1:{server['http']}/v2/models/cnn/infer"
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"})
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def close(label, expected):
    np.testing.assert_allclose(label, expected, rtol=1e-5, atol=1e-5)


def test_the_client_gets_the_labels_of_the_export(server, expected, tmp_path):
    np.save(tmp_path / "x.npy", WAVEFORMS[:25])
    places = (f"--host=127.0.0.1:{server['http']}", "--input=x.npy", "--output=y.npy")
    done = command.run("client", "--protocol=kserve-rest", *places, cwd=tmp_path).check()
    assert "25 records" in done.stdout
    close(np.load(tmp_path / "y.npy"), expected[:25])
    close(rest(server)(WAVEFORMS[:0])["label"], expected[:0])


def test_grpc_gives_the_labels_of_the_export(server, expected):
    for count in (1, 5, 60):
        close(infer(server, WAVEFORMS[:count]), expected[:count])


def test_clients_at_once_get_their_own_answers(server, expected):
    def ask(number):
        places = [(7 * number + step) % len(WAVEFORMS) for step in range(1 + number % 4)]
        if number % 2:
            return places, infer(server, WAVEFORMS[places])
        return places, rest(server)(WAVEFORMS[places])["label"]

    with futures.ThreadPoolExecutor(8) as pool:
        for places, label in pool.map(ask, range(24)):
            close(label, expected[places])


def tensor(**changes):
    fields = {"name": "waveform", "shape": [1, 4, 4000], "datatype": "FP32", "data": [0] * 16000}
    return json.dumps({"inputs": [fields | changes]}).encode()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b"[1, 2]",
        b"{}",
        b'{"inputs": 3}',
        tensor(name="x"),
        tensor(shape=[1, 3, 4000], data=[0] * 12000),
        tensor(shape=[16000]),
        tensor(data=[0] * 15999),
        tensor(data=["zero"] * 16000),
        tensor(datatype="BYTES", data=["a"] * 16000),
        tensor(data=[0] * 15999 + [float("nan")]),
        tensor(data=[0] * 15999 + [1e39]),
    ],
    ids=lambda body: f"{body[:30]!r}... of {len(body)} bytes",
)
def test_a_malformed_body_is_an_error_and_the_server_goes_on(body, server, expected):
    status, answer = post(server, body)
    assert status in (400, 422), answer
    assert '"data"' not in answer
    close(rest(server)(WAVEFORMS[:1])["label"], expected[:1])


def test_a_message_over_the_limit_is_refused_and_the_server_goes_on(server, expected):
    import grpc

    assert WAVEFORMS.nbytes > 4 * 2**20
    with pytest.raises(grpc.RpcError) as refused:
        infer(server, WAVEFORMS)
    assert refused.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
    close(infer(server, WAVEFORMS[:2]), expected[:2])
    # HTTP knows no limit: the batch is answered in full.
    close(rest(server)(WAVEFORMS)["label"], expected)


def test_a_shape_that_is_not_the_data_s_is_an_invalid_argument(server):
    import grpc

    with pytest.raises(grpc.RpcError) as refused:
        infer(server, WAVEFORMS[:1], shape=[1, 4, 3999])
    assert refused.value.code() == grpc.StatusCode.INVALID_ARGUMENT
