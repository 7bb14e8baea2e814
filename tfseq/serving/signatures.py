"""What an export answers: a model's three signatures, as plain TensorFlow operations.

`serving_default`: `waveform` (records, channels, steps) float32 to `label` (records, steps)
float32. `serving_examples`: `examples` (records,) strings to `label`. `validate`: `waveform` to
`label` and `valid` (records,) bool. With a model of half widths (`tfseq.intervals`) all of them
answer `interval` (records, 2, steps) float32 too: the lower and the upper ends.

What is not as expected ends in InvalidArgument, which says what was expected and what came. NaN and
infinity do too, but for `validate`: it answers every record, and says which answers mean something.
A record is valid if its values are finite and within the schema's range, and so is its label.

An example is a tf.train.Example whose feature `waveform` is one string: the record's float32
values, little-endian, channel by channel. That is how the data sets' TFRecord files hold it
(TFDS's `Encoding.BYTES`), and its `label`; other features are passed over. A TFX pipeline leaves
the examples as they are from its ImportExampleGen to its Evaluator, and reads them by `parse`.
"""

import math
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf

from tfseq import schema
from tfseq.models import lowering
from tfseq.serving import inference

ARCHITECTURE = "assets.extra/architecture.json"
"""The file of an export that holds the model's layers, as Keras writes them."""

Range = tuple[float, float]
_Outputs = dict[str, tf.Tensor]
_Network = Callable[[tf.Tensor], _Outputs]


def example(waveform: np.ndarray) -> bytes:
    """Returns the serialized tf.train.Example of one waveform (channels, steps)."""
    values = np.ascontiguousarray(waveform, "<f4").tobytes()
    feature = tf.train.Feature(bytes_list=tf.train.BytesList(value=[values]))
    features = tf.train.Features(feature={"waveform": feature})
    return tf.train.Example(features=features).SerializeToString()


def save(
    model: keras.Model,
    folder: Path,
    *,
    half_width: keras.Model | None = None,
    within: Range | None = None,
) -> None:
    """Writes a model as a SavedModel, each weight once, and beside it what its layers are.

    Args:
        model: Maps `waveform` (batch, channels, steps) to labels (batch, steps).
        folder: Where it goes.
        half_width: Maps the same to half the widths of the intervals around the labels.
        within: The lowest and the highest value of a valid waveform; None is the schema's.
    """
    module = tf.Module()
    # The variables beneath Keras's: saving the model itself would store every weight twice.
    kept = [model] if half_width is None else [model, half_width]
    module.variables_served = [each.value for served in kept for each in served.variables]
    shape = tuple(model.inputs[0].shape[1:])
    network = _network(model, half_width, shape[1])
    served = _signatures(network, shape, within or schema.waveform_range())
    tf.saved_model.save(module, str(folder), signatures=served)
    architecture = folder / ARCHITECTURE
    architecture.parent.mkdir(exist_ok=True)
    architecture.write_text(model.to_json(), encoding="utf-8")


def _signatures(network: _Network, shape: tuple[int, int], within: Range) -> dict[str, Callable]:
    waveforms = tf.TensorSpec((None, *shape), tf.float32, name="waveform")
    strings = tf.TensorSpec((None,), tf.string, name="examples")

    # There is no Python for AutoGraph to rewrite, and looking for it takes a second.
    @tf.function(input_signature=[waveforms], autograph=False)
    def serve(waveform: tf.Tensor) -> _Outputs:
        return _answer(network, _of_shape(waveform, shape))

    @tf.function(input_signature=[strings], autograph=False)
    def serve_examples(examples: tf.Tensor) -> _Outputs:
        return _answer(network, parse(examples, "waveform", shape))

    @tf.function(input_signature=[waveforms], autograph=False)
    def validate(waveform: tf.Tensor) -> _Outputs:
        return _validate(network, _of_shape(waveform, shape), within)

    return {
        "serving_default": serve,
        "serving_examples": serve_examples,
        "validate": validate,
    }


def _network(model: keras.Model, half_width: keras.Model | None, steps: int) -> _Network:
    infer_label = _inference(model, steps)
    infer_half = None if half_width is None else _inference(half_width, steps)

    def network(waveform: tf.Tensor) -> _Outputs:
        label = infer_label(waveform)
        if infer_half is None:
            return {"label": label}
        half = infer_half(waveform)
        return {"label": label, "interval": tf.stack([label - half, label + half], axis=1)}

    return network


def _inference(model: keras.Model, steps: int) -> Callable[[tf.Tensor], tf.Tensor]:
    infer = inference.inference(model)
    infer_one = lowering.of_one_record(model)

    def label(waveform: tf.Tensor) -> tf.Tensor:
        records = tf.shape(waveform)[0]

        # The first branch computes any number of records: `tfseq.formats` converts that one alone.
        def many() -> tf.Tensor:
            return infer(waveform, training=False)

        def any_or_none(some: Callable[[], tf.Tensor]) -> tf.Tensor:
            # TensorFlow's convolutions fail on no records at all.
            return tf.cond(records > 0, some, lambda: tf.zeros((0, steps)))

        if not infer_one:
            return any_or_none(many)
        return tf.cond(records > 1, many, lambda: any_or_none(lambda: infer_one(waveform)))

    return label


def _of_shape(waveform: tf.Tensor, shape: tuple[int, int]) -> tf.Tensor:
    # A session checks the type of what it is fed, but not the shape.
    return tf.ensure_shape(waveform, (None, *shape))


def _answer(network: _Network, waveform: tf.Tensor) -> _Outputs:
    finite = tf.math.is_finite(waveform)

    def not_finite(record: tf.Tensor) -> tf.Tensor:
        steps = tf.shape(waveform, tf.int64)[2]
        place = tf.argmin(tf.cast(tf.reshape(finite[record], [-1]), tf.int8))
        return tf.strings.format(
            "waveform: record {} is {} at channel {}, step {}; expected finite numbers",
            (
                record,
                waveform[record, place // steps, place % steps],
                place // steps,
                place % steps,
            ),
        )

    def overflows(record: tf.Tensor) -> tf.Tensor:
        return tf.strings.format(
            "waveform: record {} overflows the network; expected smaller numbers, got up to {}",
            (record, tf.reduce_max(tf.abs(waveform[record]))),
        )

    with _required(tf.reduce_all(finite, axis=[1, 2]), not_finite):
        outputs = network(tf.identity(waveform))
    with _required(_are_finite(outputs), overflows):
        return {name: tf.identity(output) for name, output in outputs.items()}


def _are_finite(outputs: _Outputs) -> tf.Tensor:
    """Returns which records (records,) have finite outputs."""
    # An interval is finite where its label is, but for widths that overflow.
    last = outputs["interval"][:, 1] if "interval" in outputs else outputs["label"]
    return tf.reduce_all(tf.math.is_finite(last), axis=1)


def _validate(network: _Network, waveform: tf.Tensor, within: Range) -> _Outputs:
    low, high = within
    # NaN is neither above nor below.
    fits = tf.math.is_finite(waveform) & (waveform >= low) & (waveform <= high)
    valid = tf.reduce_all(fits, axis=[1, 2])
    outputs = network(tf.where(valid[:, None, None], waveform, 0.0))
    finite = _are_finite(outputs)
    answers = {
        name: tf.where(tf.reshape(finite, [-1] + [1] * (len(output.shape) - 1)), output, 0.0)
        for name, output in outputs.items()
    }
    return answers | {"valid": valid & finite}


def parse(examples: tf.Tensor, name: str, shape: tuple[int, ...]) -> tf.Tensor:
    """Returns a feature (records, *shape) float32 of serialized examples (records,).

    The graph refuses an example that does not hold the feature, with InvalidArgument.

    Args:
        examples: Strings, as the module says.
        name: The feature: waveform or label.
        shape: Of one record.
    """
    expected = 4 * math.prod(shape)
    examples = tf.ensure_shape(examples, (None,))
    # A feature of fixed length would be refused without saying what was expected.
    feature = tf.io.RaggedFeature(tf.string)
    found = tf.io.parse_example(examples, {name: feature})[name]
    counts = found.row_lengths()

    def wrong_count(record: tf.Tensor) -> tf.Tensor:
        return tf.strings.format(
            f"examples: record {{}} has {{}} strings as feature {name}; expected one",
            (record, counts[record]),
        )

    with _required(tf.equal(counts, 1), wrong_count):
        values = tf.identity(found.flat_values)
    sizes = tf.strings.length(values)

    def wrong_size(record: tf.Tensor) -> tf.Tensor:
        return tf.strings.format(
            f"examples: record {{}} has a {name} of {{}} bytes; expected {expected}, "
            f"{' x '.join(map(str, shape))} float32 values",
            (record, sizes[record]),
        )

    with _required(tf.equal(sizes, expected), wrong_size):
        decoded = tf.io.decode_raw(tf.identity(values), tf.float32, little_endian=True)
    return tf.reshape(decoded, (tf.size(values), *shape))


def _required(
    passed: tf.Tensor, message: Callable[[tf.Tensor], tf.Tensor]
) -> "tf.control_dependencies":
    """Returns a context whose operations run if all records (records,) bool have passed."""

    def fail() -> tf.Tensor:
        first = tf.argmin(tf.cast(passed, tf.int8))
        with tf.control_dependencies([tf.debugging.Assert(False, [message(first)])]):
            return tf.constant(False)

    return tf.control_dependencies(
        [tf.cond(tf.reduce_all(passed), lambda: tf.constant(True), fail)]
    )
