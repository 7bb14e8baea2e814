"""What all of the client's protocols share: addresses, sizes of requests, retries, errors."""

import dataclasses
import random
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Protocol, TypeVar
from urllib.parse import urlsplit

from tfseq.errors import UserError

if TYPE_CHECKING:
    import numpy as np

_Answer = TypeVar("_Answer")

MESSAGE_BYTES = 4 * 2**20
"""What gRPC takes as one message unless client and server are both told otherwise: 4 MiB."""

_ENVELOPE_BYTES = 64 * 2**10  # names, shapes and headers around the values
_FIRST_DELAY_SECONDS = 0.25
_LONGEST_DELAY_SECONDS = 4.0


class Unavailable(Exception):  # noqa: N818 - gRPC's name
    """The server does not take requests at the moment; the same request may pass later."""


@dataclasses.dataclass(frozen=True)
class Target:
    """Which signature of which model on which server.

    Attributes:
        host: Name or address of the server.
        port: Its port.
        model: The model's name.
        version: Its version, or None for the one that the server chooses.
        version_label: The label of a version, such as canary, or None.
        signature: The signature that is called.
    """

    host: str
    port: int
    model: str
    version: int | None = None
    version_label: str | None = None
    signature: str = "serving_default"

    @property
    def address(self) -> str:
        """The host and port as one string; IPv6 addresses in brackets."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


class Call(Protocol):
    """One request: waveforms (batch, channels, steps) float32 to the outputs by name."""

    def __call__(self, waveform: "np.ndarray") -> "dict[str, np.ndarray]":
        """Raises Unavailable if the server is not there, UserError if it refuses."""


def parse_host(text: str, default_port: int) -> tuple[str, int]:
    """Returns host and port of `name`, `name:port` or `[address]:port`.

    Raises:
        UserError: If the text is none of them.
    """
    try:
        parts = urlsplit(f"//{text}")
        host, port = parts.hostname, parts.port
        (host or "").encode("idna")  # or the name could not be looked up
    except ValueError:
        host, port = None, None
    if not host or parts.netloc != text:
        raise UserError(f"--host: expected a name and a port such as localhost:8501; got {text!r}")
    return host, default_port if port is None else port


def records_per_request(waveform_shape: tuple[int, int], bytes_per_value: int) -> int:
    """Returns how many records a message of MESSAGE_BYTES holds, at least 1.

    Args:
        waveform_shape: (channels, steps). The labels that come back are never larger.
        bytes_per_value: What one value takes in the message.
    """
    channels, steps = waveform_shape
    record_bytes = channels * steps * bytes_per_value
    return max(1, (MESSAGE_BYTES - _ENVELOPE_BYTES) // record_bytes)


def with_retries(call: Callable[[], _Answer], attempts: int) -> _Answer:
    """Calls until the server is available, and waits twice as long after each attempt.

    Args:
        call: The request. Only `Unavailable` is retried.
        attempts: How often it is tried.

    Raises:
        UserError: If the last attempt finds the server unavailable too.
    """
    for attempt in range(attempts):
        try:
            return call()
        except Unavailable as error:
            if attempt + 1 == attempts:
                raise UserError(f"{error}; gave up after {attempts} attempts") from error
        delay = min(_FIRST_DELAY_SECONDS * 2**attempt, _LONGEST_DELAY_SECONDS)
        # Clients that lost the same server must not all come back at once.
        time.sleep(delay * random.uniform(0.5, 1))
    raise AssertionError("attempts is 1 or more")
