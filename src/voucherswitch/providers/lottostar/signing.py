"""How a message to Lottostar is signed, by the proposed protocol (providers.md 3.1). Pure.

HMAC-SHA256 over method, target, timestamp, nonce and the body's hash, a line each. Connector and simulator share it;
tests hold it against the specification's worked examples.
"""

import hashlib
import hmac
from collections.abc import Mapping


def canonical(method: str, target: str, timestamp: str, nonce: str, body: bytes) -> bytes:
    """What is signed: five lines, no end to the last.

    Args:
        target: path and query exactly as on the request line.
        timestamp: epoch milliseconds as sent.
        body: empty where there is none.
    """
    return "\n".join((method, target, timestamp, nonce, hashlib.sha256(body).hexdigest())).encode()


def signature(secret: str, message: bytes) -> str:
    """The signature in lower-case hex."""
    return hmac.new(secret.encode(), message, hashlib.sha256).hexdigest()


def signed_headers(
    key_id: str, secret: str, method: str, target: str, timestamp_ms: int, nonce: str, body: bytes | None
) -> Mapping[str, str]:
    """The headers of one message. They authenticate exactly these bytes, once."""
    timestamp = str(timestamp_ms)
    message = canonical(method, target, timestamp, nonce, body or b"")
    return {
        "X-LS-Key": key_id,
        "X-LS-Timestamp": timestamp,
        "X-LS-Nonce": nonce,
        "X-LS-Signature": signature(secret, message),
    }
