"""The schema is TensorFlow Metadata and says what a record is."""

import numpy as np
import pytest
from google.protobuf import text_format
from tensorflow_metadata.proto.v0 import schema_pb2

from tfseq import datasets, schema


@pytest.fixture(scope="module")
def features():
    text = schema.PATH.read_text(encoding="utf-8")
    parsed = text_format.Parse(text, schema_pb2.Schema())
    assert parsed.IsInitialized()
    return {feature.name: feature for feature in parsed.feature}


def sizes(feature):
    return [(dim.name, dim.size) for dim in feature.shape.dim]


def test_a_waveform_has_4_channels_of_4000_steps():
    assert schema.waveform_shape() == (4, 4000)


def test_labels_lie_from_0_to_4():
    assert schema.label_range() == (0.0, 4.0)


def test_a_label_has_a_value_for_every_step_of_the_waveform(features):
    assert sizes(features["waveform"]) == [("channels", 4), ("steps", 4000)]
    assert sizes(features["label"]) == [("steps", 4000)]
    assert features["waveform"].type == features["label"].type == schema_pb2.FLOAT
    domain = features["label"].float_domain
    assert (domain.min, domain.max) == schema.label_range()
    assert domain.disallow_nan
    assert domain.disallow_inf


def test_every_feature_is_there_in_every_record(features):
    for feature in features.values():
        assert feature.presence.min_fraction == 1
        assert feature.HasField("shape")


@pytest.mark.parametrize("name", datasets.names())
def test_every_data_set_has_the_features_of_the_schema(name, features, tmp_path):
    stored = datasets.builder_class(name)(data_dir=tmp_path).info.features
    assert set(stored) == set(features)
    for key, feature in features.items():
        assert stored[key].shape == tuple(dim.size for dim in feature.shape.dim)
        text = feature.type == schema_pb2.BYTES
        assert stored[key].np_dtype == (np.object_ if text else np.float32)
