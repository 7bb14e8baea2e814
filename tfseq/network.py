"""Whether somebody is there, on another machine."""

import socket


def listens(address: str, timeout: float = 5.0) -> bool:
    """Whether something accepts connections at an address.

    Args:
        address: host:port.
        timeout: Seconds to wait for an answer.
    """
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout).close()
    except OSError:
        return False
    return True
