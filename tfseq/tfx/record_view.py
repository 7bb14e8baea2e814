"""The records as TFX's components see them, which want numbers and not strings of bytes.

The examples of the pipeline stay as the data set's builder wrote them (`tfseq.serving.signatures`
says how): ImportExampleGen copies them, the Evaluator hands them to the model. A DataView, a graph
that decodes them, is bound to them, and StatisticsGen and Transform read through it.
"""

import tensorflow as tf
from tfx import v1 as tfx
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
    data_view: tfx.dsl.components.OutputArtifact[standard_artifacts.DataView],
    channels: tfx.dsl.components.Parameter[int],
    steps: tfx.dsl.components.Parameter[int],
) -> None:
    """A component that writes the decoder of records of a size."""
    RecordDecoder((channels, steps)).save(data_view.uri)
