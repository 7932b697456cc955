"""The documentation page under /docs: three static files that read /openapi.json in the browser.

It loads nothing from elsewhere and runs no inline script or style, so it works under the strictest policy and offline.
"""

from functools import cache
from importlib import resources
from typing import Final

from msgspec import Struct

CONTENT_SECURITY_POLICY: Final = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)

FILES: Final = {
    "/docs": ("docs.html", "text/html; charset=utf-8"),
    "/docs/docs.js": ("docs.js", "text/javascript; charset=utf-8"),
    "/docs/docs.css": ("docs.css", "text/css; charset=utf-8"),
}


class Asset(Struct, frozen=True):
    """One file as it is served."""

    body: bytes
    content_type: str


@cache
def docs_assets() -> dict[str, Asset]:
    """Return the files of the page by the path they are served under."""
    static = resources.files("voucherswitch.interface") / "static"
    return {path: Asset((static / name).read_bytes(), content_type) for path, (name, content_type) in FILES.items()}
