"""The records that Transform wrote, as the splits that `tfseq.trainer` reads."""

import dataclasses
import functools
from typing import Any

import tensorflow as tf
import tensorflow_transform as tft
from tfx_bsl.public import tfxio

from tfseq.errors import UserError
from tfseq.example_gen import Split

_BATCH_SIZE = 64


@dataclasses.dataclass(frozen=True, kw_only=True)
class TransformedSplit(Split):
    """A split of the examples of a TFX pipeline.

    Attributes:
        batches: Every record once, in batches of the features by name: waveform (batch, channels,
            steps) and label (batch, steps), float32, record_id and group (batch,), strings.
    """

    builder: None = None
    batches: tf.data.Dataset

    def __post_init__(self) -> None:
        """Asks nothing of a builder: there is none."""

    @functools.cached_property
    def num_records(self) -> int:
        """How many records there are; they are counted when this is first asked for."""
        sizes = self.batches.map(lambda features: tf.shape(features["label"], tf.int64)[0])
        count = int(sizes.reduce(tf.constant(0, tf.int64), tf.add))
        if count < 1:
            raise UserError(f"split {self.name!r} of the pipeline's examples holds no record")
        return count

    @property
    def waveform_shape(self) -> tuple[int, int]:
        """(channels, steps) of a waveform."""
        return tuple(self.batches.element_spec["waveform"].shape[1:])

    def records(self) -> tf.data.Dataset:
        """Returns (waveform, label) record by record, in the order in which they are stored."""
        return self.examples().map(lambda features: (features["waveform"], features["label"]))

    def stored(self) -> None:
        """Returns None: the records have no places."""

    def examples(self) -> tf.data.Dataset:
        """Returns the same records whole: dicts of waveform, label, record_id and group."""
        # Keras warns of data that ends where it does not know that it will.
        known = tf.data.experimental.assert_cardinality(self.num_records)
        return self.batches.unbatch().apply(known)


def of(fn_args: Any) -> tuple[TransformedSplit, TransformedSplit]:
    """Returns the training and the validation records of a TFX component.

    Args:
        fn_args: What TFX calls `run_fn` or `tuner_fn` with.

    Raises:
        UserError: If they have not been through Transform.
    """
    if fn_args.transform_graph_path is None:
        raise UserError("tfseq trains on transformed examples: give the component transform_graph")
    schema = tft.TFTransformOutput(fn_args.transform_graph_path).transformed_metadata.schema
    options = tfxio.TensorFlowDatasetOptions(batch_size=_BATCH_SIZE, num_epochs=1, shuffle=False)

    def split(name: str, files: list[str]) -> TransformedSplit:
        read = fn_args.data_accessor.tf_dataset_factory
        return TransformedSplit(name=name, batches=read(files, options, schema))

    return split("train", fn_args.train_files), split("validation", fn_args.eval_files)
