"""What a failed connection is told as: one line for an operator, without addresses, and never with a secret."""

import os
import socket
import ssl
from typing import Final

CAUSE_CHARS_MAX: Final = 200


def cause_of(error: Exception) -> str:
    """What the system says of a failure."""
    return _cause(error)[:CAUSE_CHARS_MAX]


def _cause(error: Exception) -> str:
    if isinstance(error, ssl.SSLCertVerificationError):
        # `verify_message` is one of OpenSSL's own sentences; at most it names the host that we asked for.
        return f"the provider's certificate is not accepted: {error.verify_message}"
    if isinstance(error, ssl.SSLError):
        return f"TLS failed: {(error.reason or 'no reason is known').replace('_', ' ').lower()}"
    if isinstance(error, OSError) and error.errno is not None and not isinstance(error, socket.gaierror):
        return os.strerror(error.errno)
    if isinstance(error, ConnectionResetError):  # the event loop's own, without a number: while greeting
        return "the other side hung up"
    return str(getattr(error, "strerror", None) or type(error).__name__)
