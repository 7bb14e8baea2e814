"""What a record is, read from `schema.pbtxt`: the one place that knows the sizes and the range."""

import functools
import math
from pathlib import Path

from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2

PATH = Path(__file__).with_name("schema.pbtxt")


@functools.cache
def _features() -> dict[str, schema_pb2.Feature]:
    schema = text_format.Parse(PATH.read_text(encoding="utf-8"), schema_pb2.Schema())
    return {feature.name: feature for feature in schema.feature}


def feature(name: str) -> schema_pb2.Feature:
    """Returns what the schema says of a feature: waveform, label, record_id or group."""
    return _features()[name]


def waveform_shape() -> tuple[int, int]:
    """Returns (channels, steps) of a waveform."""
    channels, steps = (dim.size for dim in _features()["waveform"].shape.dim)
    return channels, steps


def waveform_range() -> tuple[float, float]:
    """Returns the lowest and the highest value of a waveform; infinite where none is set."""
    domain = _features()["waveform"].float_domain
    low = domain.min if domain.HasField("min") else -math.inf
    high = domain.max if domain.HasField("max") else math.inf
    return low, high


def label_range() -> tuple[float, float]:
    """Returns the lowest and the highest label that a record may hold."""
    domain = _features()["label"].float_domain
    return domain.min, domain.max
