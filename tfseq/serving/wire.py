"""The few messages of TensorFlow and TF Serving that are used where neither is imported.

TF Serving's Python package is an extra, and TensorFlow takes seconds to import. The field numbers
are those of tensorflow_serving/apis/prediction_log.proto, predict.proto and model.proto, and of
tensorflow/core/framework/tensor.proto, tensor_shape.proto and core/protobuf/meta_graph.proto.
Fields that are not named here are passed over when a message is read.
"""

from typing import Any

import numpy as np
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

FLOAT, STRING, BOOL = 1, 7, 10
"""Values of tensorflow.DataType."""

# (name, number, type): "[]" behind a type is `repeated`, "{}" is `map<string, type>`.
_FIELDS = {
    "PredictionLog": [("predict_log", 6, "PredictLog")],
    "PredictLog": [("request", 1, "PredictRequest")],
    "PredictRequest": [("model_spec", 1, "ModelSpec"), ("inputs", 2, "TensorProto{}")],
    "ModelSpec": [("name", 1, "string"), ("signature_name", 3, "string")],
    "TensorProto": [
        ("dtype", 1, "int32"),
        ("tensor_shape", 2, "TensorShape"),
        ("tensor_content", 4, "bytes"),
        ("float_val", 5, "float[]"),
        ("string_val", 8, "bytes[]"),
    ],
    "TensorShape": [("dim", 2, "Dim[]")],
    "Dim": [("size", 1, "int64")],
    "MetaGraphDef": [("signature_def", 5, "SignatureDef{}")],
    "SignatureDef": [("inputs", 1, "TensorInfo{}"), ("outputs", 2, "TensorInfo{}")],
    "TensorInfo": [
        ("name", 1, "string"),
        ("dtype", 2, "int32"),
        ("tensor_shape", 3, "TensorShape"),
    ],
}
_PACKAGE = "tfseq.serving.wire"


def _messages() -> dict[str, Any]:
    file = descriptor_pb2.FileDescriptorProto(
        name="tfseq/wire.proto", package=_PACKAGE, syntax="proto3"
    )
    for name, fields in _FIELDS.items():
        message = file.message_type.add(name=name)
        for field, number, kind in fields:
            _add_field(message, field, number, kind)
    # A pool of its own: TensorFlow's has messages of these names.
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return {
        name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{_PACKAGE}.{name}"))
        for name in _FIELDS
    }


def _add_field(message: Any, name: str, number: int, kind: str) -> None:
    field = descriptor_pb2.FieldDescriptorProto
    base = kind.rstrip("[]{}")
    if kind.endswith("{}"):
        entry = message.nested_type.add(name=f"{name.title()}Entry".replace("_", ""))
        entry.options.map_entry = True
        _add_field(entry, "key", 1, "string")
        _add_field(entry, "value", 2, base)
        base = f"{message.name}.{entry.name}"
    added = message.field.add(
        name=name,
        number=number,
        label=field.LABEL_OPTIONAL if base == kind else field.LABEL_REPEATED,
    )
    if base.islower() or base[:-2] == "int":
        added.type = getattr(field, f"TYPE_{base.upper()}")
    else:
        added.type = field.TYPE_MESSAGE
        added.type_name = f".{_PACKAGE}.{base}"


_CLASSES = _messages()
PredictionLog = _CLASSES["PredictionLog"]
MetaGraphDef = _CLASSES["MetaGraphDef"]


def set_tensor(tensor: Any, array: np.ndarray) -> None:
    """Writes an array into a TensorProto, without the values that only repeat the last one.

    TensorProto lets them out: whoever reads it fills the shape with the last value that is there.

    Args:
        tensor: The TensorProto.
        array: Of float32, or of bytes as objects.
    """
    flat = array.ravel()
    other = np.flatnonzero(flat != flat[-1])
    kept = flat[: (other[-1] + 1 if other.size else 0) + 1].tolist()
    for size in array.shape:
        tensor.tensor_shape.dim.add(size=size)
    if array.dtype == object:
        tensor.dtype = STRING
        tensor.string_val.extend(kept)
    else:
        tensor.dtype = FLOAT
        tensor.float_val.extend(kept)


def array(tensor: Any) -> np.ndarray:
    """Returns what a TensorProto holds: float32, or bytes as objects.

    Raises:
        ValueError: If it holds anything else.
    """
    shape = tuple(dim.size for dim in tensor.tensor_shape.dim)
    if tensor.dtype == STRING:
        values = np.array(list(tensor.string_val), object)
    elif tensor.dtype == FLOAT and tensor.tensor_content:
        values = np.frombuffer(tensor.tensor_content, "<f4")
    elif tensor.dtype == FLOAT:
        values = np.array(tensor.float_val, np.float32)
    else:
        raise ValueError(f"a tensor of DataType {tensor.dtype}; expected {FLOAT} or {STRING}")
    missing = int(np.prod(shape)) - values.size
    if missing < 0 or (missing and not values.size):
        raise ValueError(f"a tensor of shape {shape} with {values.size} values")
    return np.concatenate([values, np.repeat(values[-1:], missing)]).reshape(shape)
