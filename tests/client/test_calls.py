"""Requests wait for a server that is not there, keep their deadline and pass on refusals."""

import contextlib
import json
import socket
import threading
import time

import numpy as np
import prediction_server
import pytest

from tfseq.client import grpc_call, rest_call
from tfseq.client.calls import MESSAGE_BYTES, Target, records_per_request, with_retries
from tfseq.errors import UserError
from tfseq.serving import signatures

WAVEFORMS = np.random.default_rng(0).normal(size=(2, 4, 4000)).astype(np.float32)
CONNECT = {
    "rest": rest_call.tf_serving,
    "kserve-rest": rest_call.kserve,
    "grpc": grpc_call.tf_serving,
}
SERVE = {"rest": prediction_server.rest, "grpc": prediction_server.prediction_service}


@pytest.fixture(scope="module")
def version(golden_model, tmp_path_factory):
    """The version folder of an exported CNN."""
    folder = tmp_path_factory.mktemp("exports") / "cnn" / "1"
    signatures.save(golden_model("cnn"), folder)
    return folder


@pytest.fixture(scope="module")
def servable(version):
    """The version, without anything in its way."""
    return prediction_server.Servable(version)


@pytest.fixture(scope="module")
def expected(servable):
    """The labels of WAVEFORMS, computed in this process."""
    return servable.serve(waveform=WAVEFORMS)["label"].numpy()


@pytest.fixture(scope="module")
def server(servable):
    """Ports by protocol."""
    with prediction_server.tf_serving(servable) as ports:
        yield ports


def caller(protocol, port, timeout=30.0, **target):
    return CONNECT[protocol](Target("127.0.0.1", port, model="cnn", **target), timeout)


@pytest.mark.parametrize("protocol", ["rest", "grpc"])
@pytest.mark.parametrize("bad", ["shape", "rank", "NaN", "infinity", "signature", "version"])
def test_what_the_server_refuses_is_passed_on_in_its_words(bad, protocol, server):
    waveform = WAVEFORMS[:2].copy()
    if bad == "NaN":
        waveform[1, 2, 3] = np.nan
    elif bad == "infinity":
        waveform[1, 2, 3] = np.inf
    elif bad in ("shape", "rank"):
        waveform = waveform[:, :3] if bad == "shape" else waveform[0]
    target = {"signature": "nosuch"} if bad == "signature" else {}
    target |= {"version": 9} if bad == "version" else {}
    with pytest.raises(UserError) as refused:
        caller(protocol, server[protocol], **target)(waveform)
    statuses = ("404", "NOT_FOUND") if bad == "version" else ("400", "INVALID_ARGUMENT")
    assert any(status in str(refused.value) for status in statuses)
    assert {"NaN": "nan", "infinity": "inf", "shape": "4000", "signature": "nosuch"}.get(
        bad, ""
    ) in str(refused.value)


@pytest.mark.parametrize("protocol", ["rest", "grpc"])
def test_an_unavailable_server_is_asked_again(protocol, version, expected):
    servable = prediction_server.Servable(version, unavailable_for=2)
    with SERVE[protocol](servable) as port:
        call = caller(protocol, port)
        outputs = with_retries(lambda: call(WAVEFORMS[:1]), attempts=3)
    np.testing.assert_allclose(outputs["label"], expected[:1], rtol=1e-5, atol=1e-5)
    assert servable.requests == 3


@pytest.mark.parametrize("protocol", ["rest", "grpc"])
def test_a_server_that_starts_late_is_waited_for(protocol, servable, expected):
    port = prediction_server.free_port()
    answers = {}
    call = caller(protocol, port)
    asking = threading.Thread(
        target=lambda: answers.update(with_retries(lambda: call(WAVEFORMS[:1]), attempts=6))
    )
    asking.start()
    time.sleep(0.6)
    with SERVE[protocol](servable, port):
        asking.join()
    np.testing.assert_allclose(answers["label"], expected[:1], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("protocol", ["rest", "grpc"])
def test_a_request_that_takes_too_long_is_given_up_and_not_repeated(protocol, version):
    servable = prediction_server.Servable(version, seconds=1.0)
    with SERVE[protocol](servable) as port:
        call = caller(protocol, port, timeout=0.2)
        start = time.monotonic()
        with pytest.raises(UserError, match=r"no answer within 0\.2 s"):
            with_retries(lambda: call(WAVEFORMS[:1]), attempts=3)
        assert time.monotonic() - start < 0.9
    assert servable.requests == 1


def test_a_server_that_closes_the_connection_behind_its_answer_is_heard():
    body = json.dumps({"outputs": [[1.5, 2.5]]}).encode()
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def answer():
            connection, _ = listening.accept()
            with connection, connection.makefile("rb") as request:
                lines = iter(request.readline, b"\r\n")
                sizes = [line.split()[1] for line in lines if line.startswith(b"Content-Length")]
                request.read(int(*sizes))
                head = f"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {len(body)}"
                connection.sendall(f"{head}\r\n\r\n".encode() + body)

        thread = threading.Thread(target=answer)
        thread.start()
        outputs = caller("rest", listening.getsockname()[1])(WAVEFORMS[:1, :, :2])
        thread.join()
    np.testing.assert_array_equal(outputs["label"], [[1.5, 2.5]])


def test_an_answer_that_trickles_in_does_not_outlast_the_deadline():
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def trickle():
            connection, _ = listening.accept()
            with connection, contextlib.suppress(OSError):
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
                for _ in range(100):
                    connection.sendall(b" ")
                    time.sleep(0.05)

        thread = threading.Thread(target=trickle)
        thread.start()
        start = time.monotonic()
        with pytest.raises(UserError, match=r"no answer within 0\.5 s"):
            caller("rest", listening.getsockname()[1], timeout=0.5)(WAVEFORMS[:1, :, :40])
        assert time.monotonic() - start < 2
        thread.join()


@pytest.mark.parametrize(
    ("protocol", "answer", "message"),
    [
        ("rest", b"[" * 10**5, r"answered 200: \["),
        ("rest", b"[5]", "the answer has no 'outputs'"),
        ("rest", b'{"outputs": {"label": [{"a": 1}]}}', "not an array of numbers"),
        ("rest", b'{"outputs": [["1.5", "2"]]}', "not an array of numbers"),
        ("rest", b'{"outputs": [[1' + b"0" * 400 + b"]]}", "not an array of numbers"),
        ("kserve-rest", b'{"outputs": 5}', "'outputs' of the answer is not a list"),
        ("kserve-rest", b'{"outputs": null}', "'outputs' of the answer is not a list"),
        ("kserve-rest", b'{"outputs": [5]}', "the answer has no 'name'"),
        ("kserve-rest", b'{"outputs": [{"name": "label", "data": {}}]}', "not an array of numbers"),
        (
            "kserve-rest",
            b'{"outputs": [{"name": "label", "data": [1], "shape": [1' + b"0" * 30 + b"]}]}",
            "not an array of numbers",
        ),
    ],
    ids=lambda value: str(value[:40]),
)
def test_an_answer_that_is_none_is_told_with_the_server_s_name(protocol, answer, message):
    with prediction_server.rest(answer) as port, pytest.raises(UserError, match=message) as told:
        caller(protocol, port)(WAVEFORMS[:1, :, :40])
    assert str(told.value).startswith(f"127.0.0.1:{port}: ")


@pytest.mark.parametrize(
    "tensor", [{"dtype": 0}, {"dtype": 1, "tensor_content": b"12345"}], ids=["no type", "odd bytes"]
)
def test_a_tensor_that_is_none_is_told_with_the_server_s_name(tensor):
    from tensorflow_serving.apis.predict_pb2 import PredictResponse

    response = PredictResponse()
    for field, value in tensor.items():
        setattr(response.outputs["label"], field, value)
    message = "'label' of the answer is not an array"
    with (
        prediction_server.prediction_service(response) as port,
        pytest.raises(UserError, match=message) as told,
    ):
        caller("grpc", port)(WAVEFORMS[:1, :, :40])
    assert str(told.value).startswith(f"127.0.0.1:{port}: ")


def test_the_largest_batch_is_under_the_limit_and_not_far_under():
    import tensorflow as tf
    from tensorflow_serving.apis import predict_pb2

    count = records_per_request((4, 4000), grpc_call.BYTES_PER_VALUE)
    request = predict_pb2.PredictRequest()
    request.inputs["waveform"].CopyFrom(tf.make_tensor_proto(np.zeros((count, 4, 4000), "f4")))
    assert 0.9 * MESSAGE_BYTES < request.ByteSize() < MESSAGE_BYTES
    count = records_per_request((4, 4000), rest_call.BYTES_PER_VALUE)
    longest = np.full((count, 4, 4000), -np.finfo(np.float32).tiny)
    assert len(json.dumps(longest.tolist())) < MESSAGE_BYTES
    assert records_per_request((4, 10**7), 4) == 1


def test_json_keeps_every_float32():
    bits = np.random.default_rng(0).integers(0, 2**32, 100_000, np.uint32)
    values = bits.view(np.float32)
    values = values[np.isfinite(values)]
    sent = np.array(json.loads(json.dumps(values.tolist())), np.float64).astype(np.float32)
    np.testing.assert_array_equal(sent, values)
    # What TF Serving writes if six digits do not do.
    nine_digits = np.array([float(f"{value:.9g}") for value in values.tolist()]).astype(np.float32)
    np.testing.assert_array_equal(nine_digits, values)
