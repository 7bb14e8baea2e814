"""Converts an exported model to TensorFlow Lite or ONNX.

  python -m tfseq.formats --saved_model=saved_models/cnn/1 --format=tflite --output=cnn.tflite
  python -m tfseq.formats --saved_model=saved_models/cnn/1 --format=onnx --output=cnn.onnx

A TensorFlow Lite file labels one record at a time, (1, channels, steps) to (1, steps), with
built-in operations alone; an ONNX file any number. Neither checks what it is fed, as the export
does, nor gives intervals. The file is run, and written only if its labels are the export's. The
converters are an extra: pip install 'tfseq[formats]'.
"""

import contextlib
import importlib.util
import logging
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from absl import flags

from tfseq import atomic_file, cli
from tfseq.errors import UserError

if TYPE_CHECKING:
    import numpy as np
    import tensorflow as tf

    from tfseq.saved_model import SavedModel

FLAGS = flags.FLAGS

TOLERANCE = 1e-4
"""How far a label may be from the export's, as a part of 1 + |label|."""

_PACKAGES = {"tflite": ("ai_edge_litert",), "onnx": ("tf2onnx", "onnxruntime")}
_ONNX_OPSET = 18  # the highest that tf2onnx 1.17 tests
_RECORDS_COMPARED = 3


def define_flags() -> None:
    """Defines the flags."""
    flags.DEFINE_string("saved_model", None, "Version folder of an exported model.")
    flags.DEFINE_enum("format", None, list(_PACKAGES), "What to convert it to.")
    flags.DEFINE_string("output", None, "The file to write.")


def main() -> None:
    """Runs the command."""
    cli.require("saved_model", "format", "output")
    from tfseq import record_files

    output = Path(FLAGS.output)
    record_files.require_folder("--output", output)
    missing = [name for name in _PACKAGES[FLAGS.format] if not importlib.util.find_spec(name)]
    if missing:
        raise UserError(
            f"--format={FLAGS.format} needs {' and '.join(missing)}: pip install 'tfseq[formats]'"
        )
    cli.import_tensorflow()
    from tfseq.saved_model import SavedModel

    exported = SavedModel(FLAGS.saved_model)
    with _quiet():
        content, error = convert(exported, Path(FLAGS.saved_model), FLAGS.format)
    if not error <= TOLERANCE:
        raise UserError(
            f"--saved_model: the labels of the {FLAGS.format} file differ by {error:.1e} of "
            f"1 + |label|; at most {TOLERANCE:.0e} is expected: it is not written"
        )
    atomic_file.write(output, content)
    print(f"{output}: {len(content)} bytes; labels differ by {error:.1e} of 1 + |label|")


def convert(exported: "SavedModel", folder: Path, to: str) -> tuple[bytes, float]:
    """Converts an export and runs the result beside it.

    Args:
        exported: The export.
        folder: Where it lies.
        to: tflite or onnx.

    Returns:
        The file's content, and the largest difference between its labels and the export's for
        noise, as a part of 1 + |label|.

    Raises:
        UserError: If the export computes in 16 bits, which the converters cannot do.
    """
    import numpy as np

    if exported.in_16_bits:
        raise UserError(
            f"--saved_model: {folder} computes in 16 bits, which cannot be converted; export its "
            "run again by its tfseq.train command with --config.serving_precision=float32"
        )
    shape = exported.waveform_shape
    noise = np.random.default_rng(0).normal(size=(_RECORDS_COMPARED, *shape)).astype(np.float32)
    graph = _inference_graph(folder)
    if to == "tflite":
        content = _to_tflite(graph, shape)
        label = np.concatenate([run_tflite(content, noise[i : i + 1]) for i in range(len(noise))])
    else:
        content = _to_onnx(graph, shape)
        label = run_onnx(content, noise)
    expected = exported.predict(noise)
    return content, float(np.max(np.abs(label - expected) / (1 + np.abs(expected))))


def run_tflite(content: bytes, waveform: "np.ndarray") -> "np.ndarray":
    """Returns the label (1, steps) float32 of a waveform (1, channels, steps) float32."""
    from ai_edge_litert.interpreter import Interpreter

    return Interpreter(model_content=content).get_signature_runner()(waveform=waveform)["label"]


def run_onnx(content: bytes, waveform: "np.ndarray") -> "np.ndarray":
    """Returns labels (batch, steps) float32 for waveforms (batch, channels, steps) float32."""
    import onnxruntime

    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    return session.run(["label"], {"waveform": waveform})[0]


def _inference_graph(folder: Path) -> "tf.compat.v1.GraphDef":
    """Returns what an export computes for records that pass its checks, weights as constants."""
    import tensorflow as tf

    # Not public, but what TensorFlow's own converters and tf2onnx freeze a graph with.
    from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

    loaded = tf.saved_model.load(str(folder))
    frozen = convert_variables_to_constants_v2(
        loaded.signatures["serving_default"], lower_control_flow=False
    )
    graph = frozen.graph.as_graph_def()
    for node in graph.node:
        # Checks hang on the label by control dependencies alone.
        data = [name for name in node.input if not name.startswith("^")]
        del node.input[:]
        node.input.extend(data)
        if node.op in ("If", "StatelessIf"):
            _take_first_branch(node)
        elif node.op == "EnsureShape":
            node.op = "Identity"
            del node.attr["shape"]
    # Outputs are in the order of their names.
    place = sorted(loaded.signatures["serving_default"].structured_outputs).index("label")
    waveform, label = frozen.inputs[0].op.name, frozen.outputs[place].op.name
    graph = tf.compat.v1.graph_util.extract_sub_graph(graph, [label])
    for node in graph.node:
        if node.name in (waveform, label):
            node.name = "waveform" if node.name == waveform else "result"
    return graph


def _take_first_branch(node: "tf.compat.v1.NodeDef") -> None:
    """Makes an If a call of its first branch: an export asks only how many records there are."""
    node.op = "PartitionedCall" if node.op == "StatelessIf" else "StatefulPartitionedCall"
    del node.input[0]
    node.attr["f"].CopyFrom(node.attr["then_branch"])
    for name in set(node.attr) - {"f", "Tin", "Tout"}:
        del node.attr[name]


def _module(graph: "tf.compat.v1.GraphDef", shape: tuple[int | None, ...]) -> "tf.Module":
    """Returns a module whose function `serve` maps waveforms of a shape to {"label": labels}."""
    import tensorflow as tf

    @tf.function(input_signature=[tf.TensorSpec(shape, tf.float32, name="waveform")])
    def serve(waveform: "tf.Tensor") -> "dict[str, tf.Tensor]":
        (label,) = tf.graph_util.import_graph_def(graph, {"waveform": waveform}, ["result:0"])
        return {"label": label}

    module = tf.Module()
    module.serve = serve
    return module


def _to_tflite(graph: "tf.compat.v1.GraphDef", shape: tuple[int, int]) -> bytes:
    import tensorflow as tf

    module = _module(graph, (1, *shape))
    # From a folder: only so does the file keep the names waveform and label.
    with tempfile.TemporaryDirectory() as folder:
        # Gradients, which some activations bring, cannot be saved of a frozen graph.
        options = tf.saved_model.SaveOptions(experimental_custom_gradients=False)
        tf.saved_model.save(
            module, folder, signatures={"serving_default": module.serve}, options=options
        )
        converter = tf.lite.TFLiteConverter.from_saved_model(folder)
        return converter.convert()


def _to_onnx(graph: "tf.compat.v1.GraphDef", shape: tuple[int, int]) -> bytes:
    import tf2onnx

    serve = _module(graph, (None, *shape)).serve
    model, _ = tf2onnx.convert.from_function(
        serve, input_signature=serve.input_signature, opset=_ONNX_OPSET
    )
    return model.SerializeToString()


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Keeps the converters' reports of their progress away, unless the conversion fails."""
    import tensorflow as tf

    level = tf.get_logger().level
    tf.get_logger().setLevel(logging.ERROR)
    try:
        with cli.stderr_held_back():
            yield
    finally:
        tf.get_logger().setLevel(level)


if __name__ == "__main__":
    cli.run(main, define_flags, __doc__)
