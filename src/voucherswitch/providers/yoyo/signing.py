"""What Yoyo's point-of-sale API takes for a password (providers.md 7.1, Documented; lower case is Proposed)."""

import hashlib


def password_header(password: str) -> str:
    """The `password` header: `example-pos-password` is `993ac0c2948b58bc53c86204e2d0a64e204c097b`."""
    return hashlib.sha1(password.encode(), usedforsecurity=False).hexdigest()
