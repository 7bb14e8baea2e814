"""Whether somebody is there, on another machine."""

import socket

_WAIT_SECONDS = 5.0


def listens(address: str) -> bool:
    """Whether something accepts connections at an address, within 5 seconds.

    Args:
        address: host:port.
    """
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), _WAIT_SECONDS).close()
    except (OSError, ValueError):  # the latter of what can be no name, such as a..b, or no port
        return False
    return True
