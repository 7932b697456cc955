"""How we authenticate to Hollywoodbets, as proposed: RFC 7617 Basic in UTF-8 (providers.md 4.1). Pure."""

from base64 import b64encode


def authorization(partner: str, password: str) -> str:
    """The `Authorization` header of every message."""
    return f"Basic {b64encode(f'{partner}:{password}'.encode()).decode()}"
