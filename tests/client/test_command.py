"""The client writes a server's labels to a file, or says in one line why it cannot."""

import json
import subprocess
import sys

import command
import numpy as np
import prediction_server
import pytest
import tensorflow as tf
from tensorflow_serving.apis.predict_pb2 import PredictResponse

from tfseq.client import rest_call
from tfseq.client.calls import records_per_request
from tfseq.serving import signatures

WAVEFORMS = np.random.default_rng(0).normal(size=(70, 4, 4000)).astype(np.float32)


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


def client(cwd, port, *arguments):
    places = (f"--host=127.0.0.1:{port}", "--input=x.npy", "--output=y.npy")
    return command.run("client", *places, *arguments, cwd=cwd)


@pytest.mark.parametrize("protocol", ["rest", "grpc"])
def test_labels_are_the_model_s_and_an_old_output_is_replaced(protocol, server, expected, tmp_path):
    np.save(tmp_path / "x.npy", WAVEFORMS.astype(np.float64))
    np.save(tmp_path / "y.npy", np.zeros(3))
    arguments = (f"--protocol={protocol}", "--version=1")
    done = client(tmp_path, server[protocol], *arguments).check()
    assert "70 records" in done.stdout
    assert done.stderr == ""
    labels = np.load(tmp_path / "y.npy")
    assert labels.dtype == np.float32
    np.testing.assert_allclose(labels, expected, rtol=1e-5, atol=1e-5)
    assert {path.name for path in tmp_path.iterdir()} == {"x.npy", "y.npy"}


def test_what_the_server_refuses_is_not_tried_again_and_the_old_output_stays(version, tmp_path):
    servable = prediction_server.Servable(version)
    np.save(tmp_path / "x.npy", WAVEFORMS[:2, :3])
    np.save(tmp_path / "y.npy", np.arange(3))
    with prediction_server.rest(servable) as port:
        message = client(tmp_path, port).refusal()
    assert "400" in message
    assert servable.requests == 1
    np.testing.assert_array_equal(np.load(tmp_path / "y.npy"), np.arange(3))
    assert {path.name for path in tmp_path.iterdir()} == {"x.npy", "y.npy"}


def test_nobody_listening_ends_in_one_line_after_the_last_attempt(tmp_path):
    np.save(tmp_path / "x.npy", WAVEFORMS[:1])
    message = client(tmp_path, prediction_server.free_port(), "--attempts=2").refusal()
    assert "--host: nothing listens on 127.0.0.1:" in message
    assert "gave up after 2 attempts" in message
    assert not (tmp_path / "y.npy").exists()


def test_records_that_are_not_valid_are_named(server, expected, tmp_path):
    broken = WAVEFORMS[:13].copy()
    broken[[4, 11], 2, 77] = np.nan
    np.save(tmp_path / "x.npy", broken)
    message = client(tmp_path, server["rest"]).refusal()
    assert "x.npy: record 4 " in message
    done = client(tmp_path, server["rest"], "--signature=validate").check()
    assert "labels mean nothing: records 4, 11\n" in done.stdout
    labels = np.load(tmp_path / "y.npy")
    kept = np.delete(np.arange(13), [4, 11])
    np.testing.assert_allclose(labels[kept], expected[kept], rtol=1e-5, atol=1e-5)
    assert np.isfinite(labels).all()


def test_outputs_of_another_type_or_shape_are_told_and_not_written(tmp_path):
    np.save(tmp_path / "x.npy", WAVEFORMS[:2, :, :3])
    label = [[0.5, 1.5, 2.5]] * 2
    wrong = {
        "valid float32 (2,)": {"label": label, "valid": [1, 0]},
        "valid bool (1,)": {"label": label, "valid": [True]},
        "label bool (2, 3)": {"label": [[True, True, False]] * 2},
        "label float32 (2, 2)": {"label": [[0.5, 1.5]] * 2},
        "nothing": {},
    }
    for got, outputs in wrong.items():
        with prediction_server.rest(json.dumps({"outputs": outputs}).encode()) as port:
            message = client(tmp_path, port, "--signature=validate").refusal()
        assert f"127.0.0.1:{port}: expected " in message
        assert got in message.partition("; got ")[2]
    assert {path.name for path in tmp_path.iterdir()} == {"x.npy"}


def test_labels_that_are_text_are_told(tmp_path):
    np.save(tmp_path / "x.npy", WAVEFORMS[:1, :, :2])
    response = PredictResponse()
    response.outputs["label"].CopyFrom(tf.make_tensor_proto([["a", "b"]]))
    with prediction_server.prediction_service(response) as port:
        message = client(tmp_path, port, "--protocol=grpc").refusal()
    assert f"127.0.0.1:{port}: expected label float32 (1, 2)" in message
    assert message.endswith("; got label object (1, 2)\n")


def test_requests_hold_as_many_records_as_the_message_limit_allows(version, tmp_path):
    servable = prediction_server.Servable(version)
    np.save(tmp_path / "x.npy", WAVEFORMS[:23])
    with prediction_server.rest(servable) as port:
        client(tmp_path, port).check()
        limit = records_per_request((4, 4000), rest_call.BYTES_PER_VALUE)
        assert servable.rows == [limit, limit, 23 - 2 * limit]
        client(tmp_path, port, "--batch_size=7").check()
        assert servable.rows[3:] == [7, 7, 7, 2]
        message = client(tmp_path, port, f"--batch_size={limit + 1}").refusal()
    assert f"--batch_size={limit + 1}: a message of 4 MiB holds {limit} records" in message


@pytest.mark.parametrize(
    ("arguments", "named"),
    [
        (("--host=http://localhost:8501",), "--host: expected a name and a port"),
        (("--host=localhost:port",), "--host: expected a name and a port"),
        (("--host=a..b:80",), "--host: expected a name and a port"),
        (("--host=",), "--host: expected a name and a port"),
        (("--version=1", "--version_label=canary"), "--version and --version_label"),
        (("--protocol=kserve-rest", "--signature=validate"), "--protocol=kserve-rest has neither"),
        (("--output=there/y.npy",), "--output: there is no folder there"),
        (("--input=nosuch.npy",), "--input: nosuch.npy"),
        (("--protocol=smoke",), "protocol"),
    ],
)
def test_flags_that_cannot_be_right_are_named(arguments, named, tmp_path):
    np.save(tmp_path / "x.npy", WAVEFORMS[:1])
    assert named in client(tmp_path, 1, *arguments).refusal()


def test_a_host_that_does_not_exist_and_a_port_of_another_protocol_are_named(server, tmp_path):
    np.save(tmp_path / "x.npy", WAVEFORMS[:1])
    assert "--host: nosuch.invalid:8501" in client(tmp_path, 1, "--host=nosuch.invalid").refusal()
    message = client(tmp_path, server["grpc"]).refusal()
    assert "is this the port of --protocol?" in message


def test_without_the_extra_grpc_is_refused_in_one_line(tmp_path):
    np.save(tmp_path / "x.npy", WAVEFORMS[:1])
    script = (
        "import sys, runpy\n"
        "sys.modules['tensorflow_serving'] = None\n"
        "sys.argv[0] = 'client'\n"
        "runpy.run_module('tfseq.client', run_name='__main__')"
    )
    flags = ["--host=localhost", "--protocol=grpc", "--input=x.npy", "--output=y.npy"]
    done = subprocess.run(
        [sys.executable, "-c", script, *flags],
        check=False,
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1
    assert done.stderr == (
        "error: --protocol=grpc needs tensorflow-serving-api: pip install 'tfseq[serving]'\n"
    )


def test_http_needs_no_tensorflow(server, tmp_path):
    np.save(tmp_path / "x.npy", WAVEFORMS[:1])
    places = (f"--host=127.0.0.1:{server['rest']}", "--input=x.npy", "--output=y.npy")
    done = command.run("client", *places, cwd=tmp_path, options=("-X", "importtime")).check()
    assert "tfseq.client.rest_call" in done.stderr
    assert "tensorflow" not in done.stderr.replace("tensorflow_metadata", "")
    assert "keras" not in done.stderr
