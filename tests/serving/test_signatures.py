"""A client that sends what it should gets the model's answer, and any other client an error."""

import pickle
import re

import keras
import numpy as np
import pytest
import tensorflow as tf

from tfseq import models
from tfseq.serving import signatures

# What a server has: TensorFlow, but neither Keras's model code nor tfseq.
PYTHON = """
import pickle, sys
import tensorflow as tf
loaded, answers = {}, {}
for case, (folder, signature, name, values) in pickle.load(open(sys.argv[1], "rb")).items():
    loaded.setdefault(folder, tf.saved_model.load(folder, tags=["serve"]))
    kind = tf.string if values.dtype == object else None
    try:
        outputs = loaded[folder].signatures[signature](**{name: tf.constant(values, kind)})
        answers[case] = {name: output.numpy() for name, output in outputs.items()}
    except tf.errors.InvalidArgumentError as error:
        answers[case] = error.message
assert "tfseq" not in sys.modules
pickle.dump(answers, open(sys.argv[2], "wb"))
"""
# The loader of TF Serving.
CPP = """
import pickle, sys
from tfseq.serving.session import Session, SessionError
loaded, answers = {}, {}
for case, (folder, signature, name, values) in pickle.load(open(sys.argv[1], "rb")).items():
    loaded.setdefault(folder, Session(folder))
    try:
        answers[case] = loaded[folder].run(signature, {name: values})
    except SessionError as error:
        answers[case] = str(error)
assert "tensorflow" not in sys.modules
import numpy.random, ssl  # the library's own OpenSSL must not stand in for Python's
ssl.create_default_context()
pickle.dump(answers, open(sys.argv[2], "wb"))
"""

WAVEFORMS = np.random.default_rng(0).normal(size=(3, 4, 4000)).astype(np.float32)


@pytest.fixture(scope="module")
def model():
    """A model with dropout and batch normalization that was trained by XLA."""
    keras.utils.set_random_seed(0)
    built = models.build("mlp", hidden_units=(8,), dropout=0.5, batch_norm=True)
    built.compile(optimizer="sgd", loss="mse", jit_compile=True)
    built.train_on_batch(3 * WAVEFORMS + 1, np.ones((3, 4000), np.float32))
    return built


@pytest.fixture(scope="module")
def exports(model, tmp_path_factory):
    """Two exports, with the schema's range and with one of -9 to 9."""
    folder = tmp_path_factory.mktemp("exports")
    signatures.save(model, folder / "schema")
    signatures.save(model, folder / "range", within=(-9, 9))
    return folder


@pytest.fixture(scope="module")
def stored(builder):
    """Three records of the built data set: as its TFRecord files hold them, and their waveforms."""
    files = sorted(map(str, builder.data_path.glob("*-validation.tfrecord*")))
    records = [record.numpy() for record in tf.data.TFRecordDataset(files).take(3)]
    read = builder.as_dataset(split="validation", shuffle_files=False).take(3)
    return records, np.stack([record["waveform"].numpy() for record in read])


def changed(values, record=1, channel=2, step=77):
    waveforms = WAVEFORMS.copy()
    waveforms[record, channel, step] = values
    return waveforms


def overflowing(model):
    """A batch whose second record is too large for the first layer of the model."""
    kernel = keras.ops.convert_to_numpy(model.layers[2].kernel)
    waveforms = WAVEFORMS.copy()
    waveforms[1] = 3e38 * np.sign(kernel[:, 0]).reshape(4, 4000)
    return waveforms


def an_example(**features):
    kinds = {
        name: tf.train.Feature(float_list=tf.train.FloatList(value=value))
        if isinstance(value, np.ndarray)
        else tf.train.Feature(bytes_list=tf.train.BytesList(value=value))
        for name, value in features.items()
    }
    return tf.train.Example(features=tf.train.Features(feature=kinds)).SerializeToString()


def cases(model, exports, stored):
    good = signatures.example(WAVEFORMS[0])
    waveforms = {
        "three": WAVEFORMS,
        "one": WAVEFORMS[:1],
        "none": WAVEFORMS[:0],
        "nan": changed(np.nan),
        "infinity": changed(-np.inf, record=2),
        "overflow": overflowing(model),
        "channels": WAVEFORMS[:, :2],
        "steps": WAVEFORMS[:, :, :3999],
        "transposed": WAVEFORMS.transpose(0, 2, 1),
        "rank": WAVEFORMS[0],
        "scalar": np.float32(1)[...],
        "double": WAVEFORMS.astype(np.float64),
        "bool": WAVEFORMS > 0,
        "string": np.array([b"1"], object),
    }
    examples = {
        "three": [signatures.example(waveform) for waveform in WAVEFORMS],
        "stored": stored[0],
        "none": [],
        "missing": [good, an_example(label=[b"1"])],
        "short": [good, an_example(waveform=[WAVEFORMS[1, :3].tobytes()])],
        "odd": [good, an_example(waveform=[b"12345"])],
        "floats": [good, an_example(waveform=WAVEFORMS[1].ravel())],
        "two": [good, an_example(waveform=[WAVEFORMS[1].tobytes()] * 2)],
        "nan": [good, signatures.example(changed(np.nan)[1])],
        "text": [good, b"text"],
    }
    at = str(exports / "schema"), str(exports / "range")
    found = {}
    for case, values in waveforms.items():
        found["serving_default", case] = (at[0], "serving_default", "waveform", values)
        found["validate", case] = (at[0], "validate", "waveform", values)
    for case, values in examples.items():
        strings = np.array(values, object)
        found["serving_examples", case] = (at[0], "serving_examples", "examples", strings)
    found["serving_examples", "rank"] = (*found["serving_examples", "three"][:3], strings[None])
    found["serving_examples", "float"] = (*found["serving_examples", "three"][:3], WAVEFORMS)
    found["validate", "below"] = (at[1], "validate", "waveform", changed(-9.5))
    found["validate", "above"] = (at[1], "validate", "waveform", changed(9.5))
    return found


@pytest.fixture(scope="module", params=["python", "c++"])
def answers(request, model, exports, stored, python, tmp_path_factory):
    """By signature and case, what another process answers: arrays by name, or a message."""
    folder = tmp_path_factory.mktemp("answers")
    with (folder / "cases").open("wb") as file:
        pickle.dump(cases(model, exports, stored), file)
    script = PYTHON if request.param == "python" else CPP
    python(script, folder / "cases", folder / "answers")
    with (folder / "answers").open("rb") as file:
        return pickle.load(file)


def label(model, waveform):
    return keras.ops.convert_to_numpy(model(waveform, training=False))


def assert_label(answer, expected):
    assert answer["label"].dtype == np.float32
    assert answer["label"].shape == expected.shape
    np.testing.assert_allclose(answer["label"], expected, rtol=0, atol=1e-5)


@pytest.mark.parametrize("signature", ["serving_default", "serving_examples", "validate"])
def test_every_signature_answers_as_the_model_does(signature, answers, model):
    expected = label(model, WAVEFORMS)
    assert_label(answers[signature, "three"], expected)
    assert_label(answers[signature, "none"], expected[:0])
    if signature != "serving_examples":
        assert_label(answers[signature, "one"], expected[:1])


def test_examples_are_the_records_of_the_data_sets_files(answers, model, stored):
    assert_label(answers["serving_examples", "stored"], label(model, stored[1]))


@pytest.mark.parametrize(
    ("case", "message"),
    [
        ("nan", r"waveform: record 1 is nan at channel 2, step 77; expected finite numbers"),
        ("infinity", r"waveform: record 2 is -inf at channel 2, step 77; expected finite numbers"),
        ("overflow", r"waveform: record 1 overflows .* expected smaller numbers, got up to 3e\+38"),
    ],
)
def test_what_is_not_finite_is_refused_by_its_place(case, message, answers):
    assert_refused(answers["serving_default", case], message)


@pytest.mark.parametrize("signature", ["serving_default", "validate"])
@pytest.mark.parametrize(
    ("case", "message"),
    [
        ("channels", r"waveform.* \[3,2,4000\] .*expected shape \[\?,4,4000\]"),
        ("steps", r"waveform.* \[3,4,3999\] .*expected shape \[\?,4,4000\]"),
        ("transposed", r"waveform.* \[3,4000,4\] .*expected shape \[\?,4,4000\]"),
        ("rank", r"waveform.* \[4,4000\] .*expected shape \[\?,4,4000\]"),
        ("scalar", r"waveform.* \[\] .*expected shape \[\?,4,4000\]"),
        ("double", r"(?i)expect.* float .*double"),
        ("bool", r"(?i)expect.* float .*bool"),
        ("string", r"(?i)expect.* float .*string"),
    ],
)
def test_another_shape_or_type_is_refused_by_what_was_expected(signature, case, message, answers):
    assert_refused(answers[signature, case], message)


@pytest.mark.parametrize(
    ("case", "message"),
    [
        ("missing", r"examples: record 1 has 0 strings as feature waveform; expected one"),
        ("short", r"examples: record 1 has a waveform of 48000 bytes; expected 64000, 4 x 4000 fl"),
        ("odd", r"examples: record 1 has a waveform of 5 bytes; expected 64000"),
        ("floats", r"waveform.* [Ee]xpected type: string"),
        ("two", r"examples: record 1 has 2 strings as feature waveform; expected one"),
        ("nan", r"waveform: record 1 is nan at channel 2, step 77"),
        ("text", r"[Cc]ould not parse example"),
        ("rank", r"examples.* \[1,2\] .*expected shape \[\?\]"),
        ("float", r"(?i)expect.* string .*float"),
    ],
)
def test_an_example_that_is_none_is_refused(case, message, answers):
    assert_refused(answers["serving_examples", case], message)


def assert_refused(answer, message):
    assert isinstance(answer, str)
    assert re.search(message, answer), answer


@pytest.mark.parametrize(
    ("case", "valid"),
    [
        ("three", [True, True, True]),
        ("nan", [True, False, True]),
        ("infinity", [True, True, False]),
        ("overflow", [True, False, True]),
        ("below", [True, False, True]),
        ("above", [True, False, True]),
        ("none", []),
    ],
)
def test_validate_says_which_records_are_valid_and_answers_all(case, valid, answers, model):
    answer = answers["validate", case]
    assert answer["valid"].dtype == np.bool_
    np.testing.assert_array_equal(answer["valid"], valid)
    assert np.isfinite(answer["label"]).all()
    expected = label(model, WAVEFORMS[: len(valid)])
    np.testing.assert_allclose(
        answer["label"][valid], expected[np.array(valid, bool)], rtol=0, atol=1e-5
    )
