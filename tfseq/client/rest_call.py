"""Asks a server over HTTP with JSON: TF Serving's REST API and KServe's V2 protocol.

JSON numbers are decimal, and nothing is lost: a float32 is sent with the digits of the float64 of
the same value, and TF Serving answers with up to 9 digits, which a float32 is read back from.
"""

import http.client
import json
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from tfseq.client.calls import Call, Target, Unavailable
from tfseq.errors import UserError

if TYPE_CHECKING:
    import numpy as np

BYTES_PER_VALUE = 26
"""The longest float32 as JSON, such as -1.1754943508222875e-38, with a comma and a space."""

_CHUNK_BYTES = 2**16


def tf_serving(target: Target, timeout: float) -> Call:
    """Returns a function that calls TF Serving's REST API.

    Args:
        target: Whom it asks.
        timeout: Seconds that a request may take.
    """
    path = f"/v1/models/{quote(target.model, safe='')}"
    if target.version is not None:
        path += f"/versions/{target.version}"
    elif target.version_label is not None:
        path += f"/labels/{quote(target.version_label, safe='')}"

    def call(waveform: "np.ndarray") -> "dict[str, np.ndarray]":
        body = {"signature_name": target.signature, "inputs": {"waveform": waveform.tolist()}}
        outputs = _field(_post(target, f"{path}:predict", body, timeout), "outputs", target)
        # A signature with a single output is answered without its name.
        named = outputs if isinstance(outputs, dict) else {"label": outputs}
        return {name: _array(values, target) for name, values in named.items()}

    return call


def kserve(target: Target, timeout: float) -> Call:
    """Returns a function that calls a server of KServe's V2 protocol, such as MLServer or Triton.

    Args:
        target: Whom it asks. The protocol has no signatures: the server decides.
        timeout: Seconds that a request may take.

    Raises:
        UserError: If a signature or a label is named.
    """
    if target.signature != "serving_default" or target.version_label is not None:
        raise UserError("--protocol=kserve-rest has neither --signature nor --version_label")
    path = f"/v2/models/{quote(target.model, safe='')}"
    if target.version is not None:
        path += f"/versions/{target.version}"

    def call(waveform: "np.ndarray") -> "dict[str, np.ndarray]":
        tensor = {"name": "waveform", "shape": waveform.shape, "datatype": "FP32"}
        body = {"inputs": [tensor | {"data": waveform.ravel().tolist()}]}
        outputs = _field(_post(target, f"{path}/infer", body, timeout), "outputs", target)
        if not isinstance(outputs, list):
            raise UserError(
                f"{target.address}: 'outputs' of the answer is not a list: is --protocol right?"
            )
        return {
            str(_field(output, "name", target)): _array(
                output.get("data"), target, output.get("shape")
            )
            for output in outputs
        }

    return call


def _post(target: Target, path: str, body: dict[str, Any], timeout: float) -> Any:
    deadline = time.monotonic() + timeout
    try:
        status, answer = _exchange(target, path, json.dumps(body).encode(), deadline)
    except ConnectionRefusedError as error:
        raise Unavailable(f"--host: nothing listens on {target.address}") from error
    except TimeoutError as error:
        raise UserError(
            f"{target.address}: no answer within {timeout:g} s; --timeout says how long to wait"
        ) from error
    except (OSError, http.client.HTTPException) as error:
        reason = str(error) or type(error).__name__
        raise UserError(
            f"--host: {target.address}: {reason}; is this the port of --protocol?"
        ) from error
    try:
        document = json.loads(answer)
    except (ValueError, RecursionError):
        document = None
    if status == http.HTTPStatus.OK and document is not None:
        return document
    message = f"{target.address}: the server answered {status}: {_message(document, answer)}"
    if status == http.HTTPStatus.SERVICE_UNAVAILABLE:
        raise Unavailable(message)
    raise UserError(message)


def _exchange(target: Target, path: str, body: bytes, deadline: float) -> tuple[int, bytes]:
    connection = http.client.HTTPConnection(target.host, target.port, timeout=_left(deadline))
    try:
        connection.connect()
        socket = connection.sock
        socket.settimeout(_left(deadline))
        connection.request("POST", path, body, {"Content-Type": "application/json"})
        socket.settimeout(_left(deadline))
        response = connection.getresponse()
        chunks = []
        # A socket's timeout starts anew with each part of the answer; the deadline does not.
        while chunk := response.read1(_CHUNK_BYTES):
            chunks.append(chunk)
            if response.isclosed():  # Python 3.13 does so behind the last part, socket and all
                break
            socket.settimeout(_left(deadline))
        return response.status, b"".join(chunks)
    finally:
        connection.close()


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


def _message(document: Any, answer: bytes) -> str:
    if isinstance(document, dict):
        for key in ("error", "detail"):
            if key in document:
                return str(document[key])
    return answer[:200].decode(errors="replace") or "nothing"


def _field(document: Any, name: str, target: Target) -> Any:
    if not isinstance(document, dict) or name not in document:
        raise UserError(f"{target.address}: the answer has no {name!r}: is --protocol right?")
    return document[name]


def _array(values: Any, target: Target, shape: list[int] | None = None) -> "np.ndarray":
    import numpy as np

    try:
        array = np.asarray(values)
        if array.dtype.kind not in "biuf":
            raise TypeError(f"values of type {array.dtype}")
        array = array.astype(array.dtype if array.dtype.kind == "b" else np.float32)
        return array if shape is None else array.reshape(shape)
    except (TypeError, ValueError, OverflowError) as error:
        raise UserError(f"{target.address}: the answer is not an array of numbers") from error
