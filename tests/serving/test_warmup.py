"""The warm-up requests are what TF Serving reads, and few bytes."""

import numpy as np
import pytest
import tensorflow as tf

from tfseq import models, transform
from tfseq.serving import warmup, wire

SHAPE = (2, 30)


@pytest.fixture(scope="module")
def model():
    return models.build("mlp", hidden_units=(4,), dropout=0, waveform_shape=SHAPE)


@pytest.fixture
def written(model, tmp_path):
    """The folder of a version and the requests that were written to it."""
    requests = warmup.requests(warmup.waveforms(model))
    warmup.write(tmp_path, "mlp", requests)
    return tmp_path, requests


def test_every_batch_size_and_every_signature_is_asked_for(written):
    asked = [(each.signature, len(next(iter(each.inputs.values())))) for each in written[1]]
    assert asked == [
        ("serving_default", 1),
        ("serving_default", 8),
        ("serving_default", 32),
        ("serving_default", 128),
        ("serving_examples", 1),
        ("validate", 1),
    ]


def test_what_is_read_is_what_was_written(written):
    folder, requests = written
    for read, request in zip(warmup.read(folder), requests, strict=True):
        assert read.signature == request.signature
        assert list(read.inputs) == list(request.inputs)
        for name, values in request.inputs.items():
            assert read.inputs[name].dtype == values.dtype
            np.testing.assert_array_equal(read.inputs[name], values)


def test_tf_serving_s_own_messages_read_the_file_and_would_write_the_same_bytes(written):
    prediction_log_pb2 = pytest.importorskip("tensorflow_serving.apis.prediction_log_pb2")
    folder, requests = written
    records = tf.data.TFRecordDataset(str(folder / warmup.FILE)).as_numpy_iterator()
    for record, request in zip(records, requests, strict=True):
        log = prediction_log_pb2.PredictionLog.FromString(record)
        assert log.SerializeToString(deterministic=True) == record
        asked = log.predict_log.request
        assert (asked.model_spec.name, asked.model_spec.signature_name) == (
            "mlp",
            request.signature,
        )
        assert set(asked.inputs) == set(request.inputs)
        for name, values in request.inputs.items():
            np.testing.assert_array_equal(tf.make_ndarray(asked.inputs[name]), values)


def test_the_file_is_small_for_a_full_record(tmp_path):
    full = models.build("cnn")
    warmup.write(tmp_path, "cnn", warmup.requests(warmup.waveforms(full)))
    assert (tmp_path / warmup.FILE).stat().st_size < 500_000


def test_the_first_record_is_as_large_as_what_the_model_standardizes():
    scaling = ((3.0, -7.0), (1e-10, 4.0))
    model = models.build(
        "mlp", hidden_units=(4,), dropout=0, waveform_shape=(2, 1000), scaling=scaling
    )
    record = warmup.waveforms(model)[1][0]
    np.testing.assert_allclose(record.mean(axis=1), scaling[0], atol=0.3)
    fitted, _ = transform.fit_scaling([(record[None], record[:1])])
    np.testing.assert_allclose(fitted[1][1], 4.0, rtol=0.2)
    assert np.ptp(record[0]) < 1e-4


def test_records_that_are_too_long_for_a_large_batch_get_small_ones():
    assert warmup.batch_sizes((4, 4000)) == (1, 8, 32, 128)
    assert warmup.batch_sizes((4, 10**6)) == (1,)
    assert warmup.batch_sizes((4, 10**8)) == (1,)


@pytest.mark.parametrize(
    "values",
    [
        np.arange(6, dtype=np.float32).reshape(2, 3),
        np.ones((2, 3, 4), np.float32),
        np.zeros((1, 1), np.float32),
        np.array([b"a", b"bc", b"bc"], object),
    ],
)
def test_a_tensor_is_read_by_tensorflow_and_back(values):
    tensor = wire.PredictionLog().predict_log.request.inputs["waveform"]
    wire.set_tensor(tensor, values)
    read = tf.make_ndarray(type(tf.make_tensor_proto(1)).FromString(tensor.SerializeToString()))
    np.testing.assert_array_equal(read, values)
    theirs = tf.make_tensor_proto(values)
    back = wire.array(type(tensor).FromString(theirs.SerializeToString()))
    assert back.dtype == values.dtype
    np.testing.assert_array_equal(back, values)


@pytest.mark.parametrize("size", [5, 40, -1])
def test_a_file_that_ends_in_a_record_is_refused(size, written):
    path = written[0] / warmup.FILE
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(ValueError, match="ends in a record"):
        warmup.read(written[0])


def test_the_first_record_is_noise_of_variance_1_where_nothing_is_standardized():
    assert np.abs(warmup.waveforms(models.build("cnn"))[1].std() - 1) < 0.05
