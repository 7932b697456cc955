"""Templates and files of the pages. Everything is escaped; nothing comes from anywhere but this package."""

import hashlib
from collections.abc import Mapping
from importlib.resources import files
from typing import Any, Final

import jinja2
from msgspec import Struct
from starlette.responses import HTMLResponse, Response

from voucherswitch import __version__
from voucherswitch.console import charts, formats, words
from voucherswitch.console.listing import Filters
from voucherswitch.journal.reports import reference_text

_TYPES: Final[Mapping[str, str]] = {
    "console.css": "text/css; charset=utf-8",
    "live.js": "text/javascript; charset=utf-8",
    "icon.svg": "image/svg+xml",
}


class Asset(Struct, frozen=True):
    """A file of ours. Its address changes with its content, so a browser may keep it."""

    content: bytes
    media_type: str
    url: str

    def response(self) -> Response:
        """The file."""
        headers = {"Cache-Control": "public, max-age=31536000, immutable"}
        return Response(self.content, media_type=self.media_type, headers=headers)


def _asset(name: str, media_type: str) -> Asset:
    content = (files(__package__) / "static" / name).read_bytes()
    digest = hashlib.sha256(content).hexdigest()[:12]
    return Asset(content, media_type, f"/static/{digest}/{name}")


ASSETS: Final[Mapping[str, Asset]] = {name: _asset(name, media_type) for name, media_type in _TYPES.items()}


class Pages:
    """Renders templates for one environment, which every page names."""

    def __init__(self, environment: str) -> None:
        self._templates = jinja2.Environment(
            loader=jinja2.PackageLoader("voucherswitch.console"),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            auto_reload=False,
        )
        self._templates.filters.update(
            utc=formats.utc,
            utc_plain=formats.utc_plain,
            duration_us=formats.duration_us,
            age=formats.duration_text,
            money=formats.money,
            count=formats.count,
            vsw=reference_text,
            visible=formats.visible,
            pretty=formats.pretty,
            kind_word=words.kind_word,
            state_word=words.state_word,
            voucher_state_word=words.voucher_state_word,
            advice_kind_word=words.advice_kind_word,
            advice_state_word=words.advice_state_word,
            leg_result=words.leg_result,
            after_text=charts.after_text,
        )
        self._templates.globals.update(
            environment=environment,
            version=__version__,
            assets={name: asset.url for name, asset in ASSETS.items()},
            link=Filters().url,
        )

    def render(self, template: str, *, status: int = 200, **values: Any) -> HTMLResponse:
        """A page."""
        return HTMLResponse(self._templates.get_template(template).render(**values), status_code=status)
