"""Runs an export through the C++ loader that TF Serving uses, without Python's TensorFlow.

The loader is in TensorFlow's wheel: `TF_LoadSessionFromSavedModel` of libtensorflow_cc, called by
ctypes. Loading takes a part of the time that `import tensorflow` does.
"""

import ctypes
import functools
import importlib.util
from ctypes import POINTER, c_char_p, c_int, c_int64, c_size_t, c_void_p
from pathlib import Path
from typing import Any

import numpy as np

from tfseq.errors import UserError
from tfseq.serving import wire

_DTYPES = {
    wire.FLOAT: np.dtype(np.float32),
    2: np.dtype(np.float64),
    wire.BOOL: np.dtype(np.bool_),
}
_NUMBERS = {dtype: number for number, dtype in _DTYPES.items()}
_STRING_BYTES = 24  # sizeof(TF_TString)


class SessionError(RuntimeError):
    """A status of TensorFlow that is not OK."""


class _Output(ctypes.Structure):
    _fields_ = (("operation", c_void_p), ("index", c_int))


class _Buffer(ctypes.Structure):
    _fields_ = (("data", c_void_p), ("length", c_size_t), ("deallocator", c_void_p))


_FUNCTIONS: dict[str, tuple[Any, tuple]] = {
    "TF_NewStatus": (c_void_p, ()),
    "TF_DeleteStatus": (None, (c_void_p,)),
    "TF_GetCode": (c_int, (c_void_p,)),
    "TF_Message": (c_char_p, (c_void_p,)),
    "TF_NewSessionOptions": (c_void_p, ()),
    "TF_DeleteSessionOptions": (None, (c_void_p,)),
    "TF_NewGraph": (c_void_p, ()),
    "TF_DeleteGraph": (None, (c_void_p,)),
    "TF_NewBuffer": (POINTER(_Buffer), ()),
    "TF_DeleteBuffer": (None, (POINTER(_Buffer),)),
    "TF_LoadSessionFromSavedModel": (
        c_void_p,
        (c_void_p, c_void_p, c_char_p, POINTER(c_char_p), c_int, c_void_p, c_void_p, c_void_p),
    ),
    "TF_DeleteSession": (None, (c_void_p, c_void_p)),
    "TF_GraphOperationByName": (c_void_p, (c_void_p, c_char_p)),
    "TF_AllocateTensor": (c_void_p, (c_int, POINTER(c_int64), c_int, c_size_t)),
    "TF_DeleteTensor": (None, (c_void_p,)),
    "TF_TensorType": (c_int, (c_void_p,)),
    "TF_TensorData": (c_void_p, (c_void_p,)),
    "TF_TensorByteSize": (c_size_t, (c_void_p,)),
    "TF_NumDims": (c_int, (c_void_p,)),
    "TF_Dim": (c_int64, (c_void_p, c_int)),
    "TF_StringInit": (None, (c_void_p,)),
    "TF_StringCopy": (None, (c_void_p, c_char_p, c_size_t)),
    "TF_StringDealloc": (None, (c_void_p,)),
    "TF_SessionRun": (
        None,
        (c_void_p, c_void_p)
        + (POINTER(_Output), POINTER(c_void_p), c_int) * 2
        + (c_void_p, c_int, c_void_p, c_void_p),
    ),
}


def library_folder() -> Path:
    """Returns the folder of TensorFlow's libraries.

    Raises:
        UserError: If TensorFlow is not installed.
    """
    found = importlib.util.find_spec("tensorflow")
    if found is None or not found.submodule_search_locations:
        raise UserError("TensorFlow is not installed; expected what setup.cfg asks for")
    return Path(found.submodule_search_locations[0])


@functools.cache
def _library() -> ctypes.CDLL:
    folder = library_folder()
    paths = sorted(folder.glob("libtensorflow_cc.*"))
    if not paths:
        raise UserError(f"{folder} has no libtensorflow_cc; expected TensorFlow's own wheel")
    # Local: the library has an OpenSSL of its own, which Python's ssl and hashlib must not meet.
    library = ctypes.CDLL(str(paths[0]), ctypes.RTLD_LOCAL)
    for name, (result, arguments) in _FUNCTIONS.items():
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library


class Session:
    """An export in TensorFlow's C++ runtime.

    Args:
        folder: A version folder, such as saved_models/cnn/1.

    Attributes:
        signatures: By name, `inputs` and `outputs`, each by name with the tensor's name, dtype and
            shape, as in tensorflow.SignatureDef.

    Raises:
        SessionError: If the loader refuses it.
        UserError: If TensorFlow's libraries are not there.
    """

    def __init__(self, folder: str | Path) -> None:
        self._c = c = _library()
        self._session, self._graph = None, c.TF_NewGraph()
        options, meta_graph = c.TF_NewSessionOptions(), c.TF_NewBuffer()
        tags = (c_char_p * 1)(b"serve")
        try:
            place = (str(folder).encode(), tags, 1, self._graph, meta_graph)
            self._session = self._call(c.TF_LoadSessionFromSavedModel, options, None, *place)
            content = ctypes.string_at(meta_graph.contents.data, meta_graph.contents.length)
        finally:
            c.TF_DeleteBuffer(meta_graph)
            c.TF_DeleteSessionOptions(options)
        self.signatures = dict(wire.MetaGraphDef.FromString(content).signature_def)

    def __del__(self) -> None:
        if getattr(self, "_session", None):
            self._call(self._c.TF_DeleteSession, self._session)
            self._c.TF_DeleteGraph(self._graph)

    def run(self, signature: str, inputs: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Runs a signature; threads may call it at the same time.

        Args:
            signature: Its name.
            inputs: Arrays by name: float32, float64, bool, or bytes as objects. They are fed as
                they are: it is the export that has to refuse them.

        Returns:
            The outputs by name, float32 or bool.

        Raises:
            KeyError: If there is no such signature or input.
            SessionError: If TensorFlow refuses the inputs or fails.
        """
        c, described = self._c, self.signatures[signature]
        if unknown := set(inputs) - set(described.inputs):
            raise KeyError(f"{signature} has no input {', '.join(unknown)}")
        fed = [self._place(described.inputs[name].name) for name in inputs]
        fetched = [self._place(described.outputs[name].name) for name in described.outputs]
        feeds = (c_void_p * len(fed))(*map(self._new_tensor, inputs.values()))
        results = (c_void_p * len(fetched))()
        try:
            self._call(
                c.TF_SessionRun,
                *(self._session, None),
                *((_Output * len(fed))(*fed), feeds, len(fed)),
                *((_Output * len(fetched))(*fetched), results, len(fetched)),
                *(None, 0, None),
            )
            return dict(zip(described.outputs, map(self._array, results), strict=True))
        finally:
            for tensor, values in zip(feeds, inputs.values(), strict=True):
                self._delete(tensor, strings=values.size if values.dtype == object else 0)
            for tensor in filter(None, results):
                self._delete(tensor)

    def _call(self, function: Any, *arguments: Any) -> Any:
        status = self._c.TF_NewStatus()
        try:
            result = function(*arguments, status)
            if self._c.TF_GetCode(status):
                raise SessionError(self._c.TF_Message(status).decode(errors="replace"))
            return result
        finally:
            self._c.TF_DeleteStatus(status)

    def _place(self, tensor: str) -> _Output:
        operation, _, index = tensor.partition(":")
        return _Output(self._c.TF_GraphOperationByName(self._graph, operation.encode()), int(index))

    def _new_tensor(self, values: np.ndarray) -> int:
        c, strings = self._c, values.dtype == object
        kind = wire.STRING if strings else _NUMBERS[values.dtype]
        size = values.size * _STRING_BYTES if strings else values.nbytes
        shape = (c_int64 * values.ndim)(*values.shape)
        tensor = c.TF_AllocateTensor(kind, shape, values.ndim, size)
        data = c.TF_TensorData(tensor)
        if strings:
            for index, value in enumerate(values.flat):
                c.TF_StringInit(data + index * _STRING_BYTES)
                c.TF_StringCopy(data + index * _STRING_BYTES, value, len(value))
        elif size:
            contiguous = np.ascontiguousarray(values)
            ctypes.memmove(data, contiguous.ctypes.data, size)
        return tensor

    def _delete(self, tensor: int, strings: int = 0) -> None:
        data = self._c.TF_TensorData(tensor)
        for index in range(strings):
            self._c.TF_StringDealloc(data + index * _STRING_BYTES)
        self._c.TF_DeleteTensor(tensor)

    def _array(self, tensor: int) -> np.ndarray:
        c = self._c
        shape = [c.TF_Dim(tensor, axis) for axis in range(c.TF_NumDims(tensor))]
        size, dtype = c.TF_TensorByteSize(tensor), _DTYPES[c.TF_TensorType(tensor)]
        content = ctypes.string_at(c.TF_TensorData(tensor), size) if size else b""
        return np.frombuffer(content, dtype).reshape(shape)
