"""A version is tried by TF Serving's loader; what does not answer right is not published."""

import shutil
import subprocess

import command
import keras
import numpy as np
import pytest
import tensorflow as tf

from tfseq import infra_validator, models, pusher
from tfseq.errors import UserError
from tfseq.export import Export
from tfseq.serving import session, warmup

PROGRAM = command.Path(__file__).with_name("savedmodel_loader.c")


def small(seed=0):
    keras.utils.set_random_seed(seed)
    return models.build("cnn", waveform_shape=(4, 40))


@pytest.fixture(scope="module")
def version(tmp_path_factory):
    return pusher.push(small(), tmp_path_factory.mktemp("cnn"), {})


@pytest.fixture
def copy(version, tmp_path):
    """A copy of the version, to be broken."""
    return shutil.copytree(version, tmp_path / "1")


def answers(model):
    return Export.of(model, {}).answers


def validate(folder, *flags, cwd, options=()):
    return command.run(
        "infra_validator", f"--saved_model={folder}", *flags, cwd=cwd, options=options
    )


@pytest.fixture(scope="module")
def expected():
    """The arrays of `--expected` that the version's model gives."""
    return {
        f"{request}.{name}": values
        for request, outputs in enumerate(answers(small()))
        for name, values in outputs.items()
    }


def test_a_version_passes_beside_its_model(version, expected, tmp_path):
    np.savez(tmp_path / "right.npz", **expected)
    said = validate(version, "--expected=right.npz", cwd=tmp_path).check().stdout
    assert f"{version}: loaded in " in said
    assert "6 requests answered" in said
    assert "from the trained model" in said


@pytest.mark.parametrize("content", ["missing", "folder", "empty", "npy", "objects", "text", "cut"])
def test_expected_answers_that_cannot_be_read_are_refused(content, version, tmp_path):
    path = tmp_path / "right.npz"
    match content:
        case "folder":
            path.mkdir()
        case "empty":
            path.touch()
        case "npy":
            np.save(path.with_suffix(".npy"), np.zeros(3))
            path.with_suffix(".npy").rename(path)
        case "objects":
            np.savez(path, **{"0.label": np.array([{}], object)})
        case "text":
            np.savez(path, **{"0.label": np.array(["1", "2"])})
        case "cut":
            np.savez(path, **{"0.label": np.zeros(3)})
            path.write_bytes(path.read_bytes()[:-9])
    message = validate(version, f"--expected={path}", cwd=tmp_path).refusal()
    assert f"--expected: {path} is not a readable .npz file of numbers" in message


def test_expected_answers_that_lack_one_or_are_not_finite_do_not_pass(version, expected, tmp_path):
    few = {name: values for name, values in expected.items() if name != "1.label"}
    np.savez(tmp_path / "lacks.npz", **few)
    message = validate(version, "--expected=lacks.npz", cwd=tmp_path).refusal()
    assert (
        "--expected: lacks.npz has no 1.label, the answer to serving_default of 8 records"
        in message
    )
    np.savez(tmp_path / "nan.npz", **{**expected, "1.label": expected["1.label"] * np.nan})
    message = validate(version, "--expected=nan.npz", cwd=tmp_path).refusal()
    assert "label is nan from the trained model's" in message


def test_a_version_passes_alone_without_importing_tensorflow(version, tmp_path):
    done = validate(version, cwd=tmp_path, options=("-X", "importtime")).check()
    assert "6 requests answered" in done.stdout
    imported = {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}
    assert {"numpy", "tfseq.serving.session"} <= imported
    assert "tensorflow" not in imported
    assert validate(version, cwd=tmp_path).stderr == ""


def test_another_model_s_answers_do_not_pass(version):
    with pytest.raises(UserError, match=r"label is \S+ from the trained model's; .* 1e-05"):
        infra_validator.validate(version, answers(small(seed=1)))


def test_a_version_whose_weights_were_cut_short_is_refused(copy, tmp_path):
    (data,) = (copy / "variables").glob("*.data-*")
    data.write_bytes(data.read_bytes()[:-8])
    message = validate(copy, cwd=tmp_path).refusal()
    assert f"{copy}: TensorFlow's C++ loader refuses it" in message


@pytest.mark.parametrize(
    ("file", "message"),
    [
        ("saved_model.pb", "no model in"),
        (warmup.FILE, f"expected requests in {warmup.FILE}: No such file"),
    ],
)
def test_a_version_that_lacks_a_file_is_refused(file, message, copy, tmp_path):
    (copy / file).unlink()
    assert message in validate(copy, cwd=tmp_path).refusal()


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda content: content[:-9], "ends in a record"),
        (lambda content: content[:12] + b"\xff" * (len(content) - 12), "Error parsing message"),
        (lambda content: b"", "there are none"),
    ],
    ids=["cut", "overwritten", "empty"],
)
def test_requests_that_are_not_whole_are_refused(damage, message, copy, tmp_path):
    path = copy / warmup.FILE
    path.write_bytes(damage(path.read_bytes()))
    refusal = validate(copy, cwd=tmp_path).refusal()
    assert f"{copy}: expected requests in {warmup.FILE}: " in refusal
    assert message in refusal


def test_a_model_without_the_signature_that_is_asked_for_is_refused(copy, tmp_path):
    other = tf.Module()
    serve = tf.function(lambda x: {"y": x}, input_signature=[tf.TensorSpec([None], tf.float32)])
    tf.saved_model.save(other, str(copy), signatures={"other": serve})
    assert "serving_default of 1 records" in validate(copy, cwd=tmp_path).refusal()


class Clock(keras.layers.Layer):
    """Answers the same record in another way every time."""

    def call(self, x):
        return x + tf.cast(tf.math.floormod(tf.timestamp(), 1.0), tf.float32)


def test_a_model_that_the_export_does_not_repeat_is_not_published(tmp_path):
    plain = small()
    model = keras.Model(plain.input, Clock(name="clock")(plain.output), name="cnn")
    with pytest.raises(UserError, match=r"does not pass: .* from the trained model's"):
        pusher.push(model, tmp_path, {})
    assert list(tmp_path.iterdir()) == []


def test_a_model_whose_labels_are_not_finite_is_not_published(tmp_path):
    model = models.build("mlp", hidden_units=(2,), dropout=0, waveform_shape=(4, 40))
    bias = model.trainable_weights[-1]
    bias.assign(np.full(bias.shape, np.nan))
    with pytest.raises(UserError, match=r"does not pass: .* overflows the network"):
        pusher.push(model, tmp_path, {})
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(not shutil.which("gcc"), reason="there is no C compiler")
def test_a_c_program_gets_the_model_s_answer(version, tmp_path):
    libraries = session.library_folder()
    program = tmp_path / "savedmodel_loader"
    # The library has a gigabyte: gold links it in a quarter of the time.
    linker = ["-fuse-ld=gold"] if shutil.which("ld.gold") else []
    subprocess.run(
        [
            *("gcc", *linker, "-O1", "-Wall", "-Werror", str(PROGRAM), "-o", str(program)),
            *(f"-I{libraries / 'include'}", f"-L{libraries}", f"-Wl,-rpath,{libraries}"),
            *("-l:libtensorflow_cc.so.2", "-l:libtensorflow_framework.so.2"),
        ],
        check=True,
    )
    waveforms = np.random.default_rng(0).normal(size=(3, 4, 40)).astype(np.float32)
    described = session.Session(version).signatures["serving_default"]
    tensors = described.inputs["waveform"].name, described.outputs["label"].name
    done = subprocess.run(
        [program, version, *tensors, *map(str, waveforms.shape)],
        input=waveforms.tobytes(),
        capture_output=True,
        check=True,
    )
    expected = keras.ops.convert_to_numpy(small()(waveforms, training=False))
    answered = np.frombuffer(done.stdout, np.float32).reshape(3, 40)
    np.testing.assert_allclose(answered, expected, rtol=0, atol=1e-5)
    refused = subprocess.run(
        [program, version, *tensors, "3", "8", "20"],
        input=waveforms.tobytes(),
        capture_output=True,
        check=False,
    )
    assert refused.returncode == 1
    assert b"expected shape [?,4,40]" in refused.stderr
