"""The records as TFX's components see them, which want numbers and not strings of bytes.

The examples of the pipeline stay as the data set's builder wrote them (`tfseq.serving.signatures`
says how): ImportExampleGen copies them, the Evaluator hands them to the model. A DataView, a graph
that decodes them, is bound to them, and StatisticsGen and Transform read through it.
"""

import time

import tensorflow as tf
from tfx import v1 as tfx
from tfx.components.experimental.data_view import constants
from tfx.types import standard_artifacts
from tfx_bsl.public import tfxio

from tfseq.serving import signatures

_TEXTS = ("record_id", "group")


class RecordDecoder(tfxio.TFGraphRecordDecoder):
    """Decodes serialized examples to what the schema says of a record.

    Args:
        waveform_shape: (channels, steps).
    """

    def __init__(self, waveform_shape: tuple[int, int]) -> None:
        self._waveform_shape = waveform_shape

    def decode_record(self, records: tf.Tensor) -> dict[str, tf.Tensor]:
        """Returns the features of serialized examples (records,)."""
        texts = tf.io.parse_example(
            records, {name: tf.io.FixedLenFeature([], tf.string) for name in _TEXTS}
        )
        return {
            "waveform": signatures.parse(records, "waveform", self._waveform_shape),
            "label": signatures.parse(records, "label", self._waveform_shape[1:]),
            **texts,
        }


@tfx.dsl.components.component
def record_view(
    examples: tfx.dsl.components.InputArtifact[standard_artifacts.Examples],
    viewed: tfx.dsl.components.OutputArtifact[standard_artifacts.Examples],
    channels: tfx.dsl.components.Parameter[int],
    steps: tfx.dsl.components.Parameter[int],
) -> None:
    """A component that binds the decoder of records of a size to examples.

    TFX's TfGraphDataViewProvider and DataViewBinder do the same in two steps, but what goes between
    them, an artifact of the type DataView, is none that Kubeflow knows.
    """
    decoder = viewed.uri
    RecordDecoder((channels, steps)).save(decoder)
    # The same files, read in another way.
    viewed.copy_from(examples)
    viewed.set_string_custom_property(constants.DATA_VIEW_URI_PROPERTY_KEY, decoder)
    viewed.set_string_custom_property(constants.DATA_VIEW_CREATE_TIME_KEY, str(time.time_ns()))
