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
from functools import lru_cache
from itertools import pairwise
from typing import Any, Final, Literal, TextIO

import msgspec
import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

from voucherswitch.config import limits
from voucherswitch.monitoring.log_lines import harmless

Level = Literal["debug", "info", "warning", "error"]
Format = Literal["console", "json"]

MASK: Final = "***"

# A key with one of these words in it: `client_secret`, `basicPassword`, `voucher-pin`.
_SECRET_WORDS: Final = frozenset(
    {"authorization", "cookie", "cvv", "otp", "pan", "passphrase", "passwd", "password", "pin", "secret", "token"}
    | {"passwords", "pins", "secrets", "tokens"}
)
# Words that together name a secret, wherever they stand in a key. `code` alone is one, `result_code` is not.
_SECRET_PAIRS: Final = frozenset(
    {
        ("api", "key"),
        ("voucher", "code"),
        ("voucher", "number"),
        ("private", "key"),
        ("vault", "key"),
        ("card", "number"),
    }
)
_SECRET_KEYS: Final = frozenset({"code", "codes", "apikey", "vouchercode", "track2"})

_WORD: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+")
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


@lru_cache(maxsize=1024)
def is_secret(key: str) -> bool:
    """Whether values under a key are secret by its name: `pin`, `apiKey`, `X-Api-Key`, `voucher_code`."""
    words = [word.lower() for word in _WORD.findall(key)]
    if not _SECRET_WORDS.isdisjoint(words) or "".join(words) in _SECRET_KEYS:
        return True
    return any(pair in _SECRET_PAIRS for pair in pairwise(words))


def _masked(key: object, value: Any, depth: int) -> Any:
    if value is None or isinstance(value, bool):
        return value
    if isinstance(key, str) and is_secret(key):
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
        return {name: _masked(name, getattr(value, name), depth + 1) for name in value.__struct_fields__}
    if is_dataclass(value) and not isinstance(value, type):
        return {each.name: _masked(each.name, getattr(value, each.name), depth + 1) for each in fields(value)}
    if isinstance(value, list | tuple | set | frozenset):
        return [_masked(None, item, depth + 1) for item in value]
    return _masked_text(repr(value))


def _masked_text(text: str) -> str:
    if "://" in text:
        text = _URL_PASSWORD.sub(rf"\1:{MASK}@", text)
    return _SCHEME.sub(rf"\1 {MASK}", text)
