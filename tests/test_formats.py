"""Converted to TensorFlow Lite and ONNX, an export gives the same labels."""

import os
import subprocess
import sys

import command
import numpy as np
import pytest

from tfseq import formats, models
from tfseq.saved_model import SavedModel
from tfseq.serving import signatures

WAVEFORMS = np.random.default_rng(0).normal(size=(5, 4, 4000)).astype(np.float32)


@pytest.fixture(scope="module")
def exports(golden_model, tmp_path_factory):
    """A folder of exports, `<model>/1`."""
    folder = tmp_path_factory.mktemp("exports")
    for name in models.names():
        small = {"filters": 16, "blocks": 2} if name == "seqnet" else {}
        model = golden_model(name) if name in command.REPORT else models.build(name, **small)
        signatures.save(model, folder / name / "1")
    return folder


def convert(exports, model, to, cwd):
    return command.run(
        "formats",
        f"--saved_model={exports}/{model}/1",
        f"--format={to}",
        f"--output={model}.{to}",
        cwd=cwd,
    )


@pytest.mark.parametrize("model", models.names())
@pytest.mark.parametrize("to", ["tflite", "onnx"])
def test_labels_are_the_export_s_to_1e_5(to, model, exports):
    exported = SavedModel(exports / model / "1")
    content, error = formats.convert(exported, exports / model / "1", to)
    assert error < 1e-5
    expected = exported.predict(WAVEFORMS)
    if to == "onnx":
        label = formats.run_onnx(content, WAVEFORMS)
    else:
        label = np.concatenate([formats.run_tflite(content, WAVEFORMS[i : i + 1]) for i in (0, 1)])
    assert label.dtype == np.float32
    np.testing.assert_allclose(label, expected[: len(label)], rtol=1e-5, atol=1e-5)


def test_tflite_labels_one_record_with_built_in_operations(exports, tmp_path):
    from ai_edge_litert.interpreter import Interpreter

    done = convert(exports, "cnn", "tflite", tmp_path).check()
    assert done.stdout.startswith("cnn.tflite: ")
    assert done.stderr == ""
    assert [path.name for path in tmp_path.iterdir()] == ["cnn.tflite"]
    interpreter = Interpreter(model_path=str(tmp_path / "cnn.tflite"))
    signatures = {"serving_default": {"inputs": ["waveform"], "outputs": ["label"]}}
    assert interpreter.get_signature_list() == signatures
    (waveform,) = interpreter.get_input_details()
    assert waveform["shape"].tolist() == [1, 4, 4000]
    assert waveform["dtype"] == np.float32
    operations = {operation["op_name"] for operation in interpreter._get_ops_details()}
    assert "FULLY_CONNECTED" in operations
    assert not [name for name in operations if "Flex" in name or "CUSTOM" in name]


def test_onnx_labels_any_number_of_records_with_standard_operations(exports, tmp_path):
    import onnx

    done = convert(exports, "resnet", "onnx", tmp_path).check()
    assert done.stdout.startswith("resnet.onnx: ")
    assert done.stderr == ""
    content = (tmp_path / "resnet.onnx").read_bytes()
    model = onnx.load_from_string(content)
    onnx.checker.check_model(model, full_check=True)
    assert {node.domain for node in model.graph.node} == {""}
    expected = SavedModel(exports / "resnet" / "1").predict(WAVEFORMS)
    for count in (0, 1, 5):
        label = formats.run_onnx(content, WAVEFORMS[:count])
        np.testing.assert_allclose(label, expected[:count], rtol=1e-5, atol=1e-5)


def run_script(setup, exports, to, cwd):
    """Runs the command after a line of Python."""
    script = f"{setup}\nfrom tfseq import cli\ncli.run(formats.main, formats.define_flags, '')"
    flags = [f"--saved_model={exports}/cnn/1", f"--format={to}", f"--output=cnn.{to}"]
    # The tests ask TensorFlow to be quiet; a user's shell does not.
    environment = {k: v for k, v in os.environ.items() if k != "TF_CPP_MIN_LOG_LEVEL"}
    done = subprocess.run(
        [sys.executable, "-c", script, *flags],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    return command.Finished(done.returncode, done.stdout, done.stderr)


def test_a_file_with_other_labels_is_not_written(exports, tmp_path):
    (tmp_path / "cnn.tflite").write_text("what was there")
    setup = "from tfseq import formats; formats.TOLERANCE = -1"
    message = run_script(setup, exports, "tflite", tmp_path).refusal()
    assert "the labels of the tflite file differ by" in message
    assert [path.name for path in tmp_path.iterdir()] == ["cnn.tflite"]
    assert (tmp_path / "cnn.tflite").read_text() == "what was there"


def test_without_the_extra_the_missing_package_is_named(exports, tmp_path):
    setup = "import sys; sys.modules['tf2onnx'] = None; from tfseq import formats"
    message = run_script(setup, exports, "onnx", tmp_path).refusal()
    assert "--format=onnx needs tf2onnx: pip install 'tfseq[formats]'" in message


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ("--format=pickle", "format"),
        ("--output=there/cnn.onnx", "--output: there is no folder there"),
    ],
)
def test_flags_that_cannot_be_right_are_named(changed, named, exports, tmp_path):
    flags = [f"--saved_model={exports}/cnn/1", "--format=onnx", "--output=cnn.onnx", changed]
    assert named in command.run("formats", *flags, cwd=tmp_path).refusal()
    assert not list(tmp_path.iterdir())
