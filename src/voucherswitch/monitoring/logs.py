"""Logging: one set-up for our events and for the libraries', and the last guard against secrets in logs.

`configure` is called once per process, at start. After it `structlog.get_logger()` and the standard library's loggers
(uvicorn with `log_config=None`, asyncpg, alembic) end in one handler on standard error. The masking here is a net under
those who log, not a licence to log secrets: it knows keys and a few shapes in texts, and cannot know that a word in a
sentence is a PIN.
"""

import logging
import re
import sys
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from typing import Any, Final, Literal, TextIO

import msgspec
import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from voucherswitch.config import limits
from voucherswitch.message.marks import HIDDEN, hidden_fields
from voucherswitch.message.smells import is_personal, is_secret, is_telephone
from voucherswitch.monitoring.log_lines import harmless

Level = Literal["debug", "info", "warning", "error"]
Format = Literal["console", "json"]

MASK: Final = HIDDEN

_SCHEME: Final = re.compile(r"\b(Basic|Bearer|bearer)\s+[A-Za-z0-9+/._~=-]+")
_URL_PASSWORD: Final = re.compile(r"(://[^\s/:@]*):[^\s/@]+@")

# Libraries whose own handlers would print a second time or in another form.
_LIBRARIES: Final = ("uvicorn", "uvicorn.error", "uvicorn.access", "asyncpg", "alembic", "sqlalchemy", "asyncio")


class _Handler(logging.StreamHandler[TextIO]):
    """Ours, to be told from handlers that a test or a debugger has added."""


def configure(level: Level, format: Format) -> None:
    """Send all logging to standard error: events of `level` and above, for a person or as one JSON object a line."""
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.stdlib.ExtraAdder(),
        structlog.processors.StackInfoRenderer(),
    ]
    renderer: Processor
    if format == "json":
        renderer = structlog.processors.JSONRenderer()
    else:
        # Its own formatter of exceptions shows local variables, and they hold what is masked elsewhere.
        plain = structlog.dev.plain_traceback
        renderer = structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=plain)
    rendering: list[Processor] = [
        structlog.stdlib.ProcessorFormatter.remove_processors_meta,
        structlog.processors.format_exc_info,  # to a text, so that it is masked too
        mask_secrets,
        *([] if format == "json" else [harmless]),
        renderer,
    ]

    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.PositionalArgumentsFormatter(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=True,
    )
    handler = _Handler(sys.stderr)
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(foreign_pre_chain=shared, processors=rendering))
    root = logging.getLogger()
    for old in root.handlers[:]:
        if isinstance(old, _Handler):
            root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(level.upper())
    for name in _LIBRARIES:
        library = logging.getLogger(name)
        library.handlers.clear()
        library.propagate = True
        library.setLevel(logging.NOTSET)
    # These tell each statement and each selector at debug, each request and each step at info: our own events say more.
    for name in ("sqlalchemy", "asyncio", "uvicorn.access", "uvicorn.error", "alembic"):
        logging.getLogger(name).setLevel(logging.WARNING)
    logging.captureWarnings(True)


def mask_secrets(_logger: WrappedLogger, _method: str, event: EventDict) -> EventDict:
    """The last processor before rendering: no value of a secret key, at any depth, and no password in a text."""
    return {key: _masked(key, value, 0) for key, value in event.items()}


def _masked(key: object, value: Any, depth: int) -> Any:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(key, str) and (is_secret(key) or is_telephone(key) or is_personal(key)):
        return MASK
    if isinstance(value, str):
        return _masked_text(value)
    if isinstance(value, int | float):
        return value
    if isinstance(value, bytes | bytearray | memoryview):
        return f"<{len(value)} bytes>"  # a body or a key
    if depth >= limits.LOG_DEPTH_MAX:
        return "…"
    if isinstance(value, Mapping):
        return {str(name): _masked(name, item, depth + 1) for name, item in value.items()}
    if isinstance(value, msgspec.Struct):
        hidden = hidden_fields(type(value))
        fields_of = ((name, getattr(value, name)) for name in value.__struct_fields__)
        return {name: MASK if each and name in hidden else _masked(name, each, depth + 1) for name, each in fields_of}
    if is_dataclass(value) and not isinstance(value, type):
        return {each.name: _masked(each.name, getattr(value, each.name), depth + 1) for each in fields(value)}
    if isinstance(value, list | tuple | set | frozenset):
        return [_masked(None, item, depth + 1) for item in value]
    return _masked_text(repr(value))


def _masked_text(text: str) -> str:
    if "://" in text:
        text = _URL_PASSWORD.sub(rf"\1:{MASK}@", text)
    return _SCHEME.sub(rf"\1 {MASK}", text)
