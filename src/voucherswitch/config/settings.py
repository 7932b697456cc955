"""Settings: what an operator may set, read once at start and passed down.

Sources, the first that has a value wins: arguments, environment variables (`VOUCHERSWITCH_…`, and `DATABASE_URL`), the
file `voucherswitch.toml` in the working directory or the one that `VOUCHERSWITCH_CONFIG` names, the default.
Nothing here creates files or opens connections. A wrong setting is refused with one line, never corrected.
"""

import os
import tomllib
from collections.abc import Mapping
from difflib import get_close_matches
from ipaddress import ip_address
from pathlib import Path
from types import UnionType
from typing import Annotated, Any, Final, Literal, Union, get_args, get_origin

from annotated_types import Ge, Le
from pydantic import AfterValidator, BeforeValidator, Field, ValidationError
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from voucherswitch.config import limits

ENV_PREFIX: Final = "VOUCHERSWITCH_"
CONFIG_VARIABLE: Final = "VOUCHERSWITCH_CONFIG"
CONFIG_FILE: Final = "voucherswitch.toml"

# Values are quoted in errors up to this length; a longer one is recognised by its beginning.
_QUOTED_CHARS_MAX: Final = 60

# A variable this close to a setting's is a slip of the finger. What Kubernetes sets by itself is further off:
# VOUCHERSWITCH_CONSOLE_SERVICE_HOST is 0.75 from console_host.
_SLIP_SIMILARITY: Final = 0.85


# Fewer, and a retry, a refund or a provider's daily file may come after its request was archived.
CLOSED_DAYS_MIN: Final = 30


class SettingsError(Exception):
    """A setting is wrong. The text is one line: which setting, from where, what is wrong, what to set."""

    def __init__(self, setting: str, origin: str, wrong: str, fix: str) -> None:
        super().__init__(" ".join(f"{setting} ({origin}): {wrong}; {fix}".split()))
        self.setting = setting


def _refuse_bool(value: object) -> object:
    if isinstance(value, bool):
        raise ValueError("is not a whole number")  # noqa: TRY004 - pydantic reports ValueError as a wrong value
    return value


def _split_words(value: object) -> object:
    if isinstance(value, str):
        return [word.strip() for word in value.split(",")]
    return value


def _lower(value: object) -> object:
    return value.lower() if isinstance(value, str) else value


def _absolute(path: Path) -> Path:
    # Fixed at start, so that a later change of the working directory moves nothing.
    return path.expanduser().absolute()


def _postgresql_url(url: str) -> str:
    if not url.startswith(("postgresql://", "postgres://")):
        raise ValueError("is not the URL of a PostgreSQL database")
    return url


Whole = Annotated[int, BeforeValidator(_refuse_bool)]
Host = Annotated[str, Field(pattern=r"^[A-Za-z0-9.:_-]{1,253}$")]
PathWord = Annotated[str, Field(pattern=r"^[A-Za-z0-9_-]{1,32}$")]
AbsolutePath = Annotated[Path, AfterValidator(_absolute)]


def cores() -> int:
    """Cores this process may use, 64 at most: one switch worker each."""
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return min(usable, 64)


def _port(default: int, meaning: str) -> Any:
    return Field(default, ge=1, le=65_535, description=meaning)


def _whole(default: int, low: int, high: int, meaning: str) -> Any:
    return Field(default, ge=low, le=high, description=meaning)


class Settings(BaseSettings):
    """Every setting. The descriptions are the published reference (docs/reference/settings.md)."""

    model_config = SettingsConfigDict(
        env_prefix=ENV_PREFIX,
        env_ignore_empty=True,  # compose files set what they do not know to an empty text
        extra="forbid",
        frozen=True,
    )

    environment: Literal["sandbox", "production"] = Field(
        "sandbox",
        description="`production` refuses what only a sandbox may do: simulators, a vault key made on the spot.",
    )
    data_dir: AbsolutePath = Field(
        Path(".voucherswitch"),
        validate_default=True,
        description="Holds the embedded database, the vault key and logs.",
        json_schema_extra={"default_text": "`.voucherswitch`", "accepts": "a directory"},
    )
    database_url: Annotated[str, AfterValidator(_postgresql_url)] | None = Field(
        None,
        validation_alias="database_url",  # pydantic-settings takes an alias without the prefix: DATABASE_URL
        repr=False,  # it may hold a password
        description="The journal's PostgreSQL. Unset: an embedded server in `data_dir`.",
        json_schema_extra={
            "default_text": "unset",
            "accepts": "`postgresql://user:password@host:port/name`",
            "secret": True,
        },
    )
    vault_key_file: AbsolutePath | None = Field(
        None,
        description="The key that seals PINs. Missing: made in a sandbox, refused in production.",
        json_schema_extra={"default_text": "`vault.key` in `data_dir`", "accepts": "a file"},
    )

    interface_host: Host = Field("127.0.0.1", description="Address on which originators are served, plain HTTP.")
    interface_port: Whole = _port(8080, "Port on which originators are served.")
    console_host: Host = Field("127.0.0.1", description="Address on which the console is served, plain HTTP.")
    console_port: Whole = _port(8081, "Port on which the console is served.")
    simulator_host: Host = Field("127.0.0.1", description="Address on which the provider simulators are served.")
    simulator_port_base: Whole = _port(
        9100, "Port of the first provider simulator; each further one takes the next port."
    )

    workers: Whole = Field(
        default_factory=cores,
        ge=1,
        le=64,
        description="Switch processes that share the interface's port.",
        json_schema_extra={"default_text": "number of cores"},
    )
    answer_margin_s: Whole = _whole(
        5, 1, 30, "The switch answers this long before the originator's deadline at the latest."
    )
    retry_path_suffixes: Annotated[tuple[PathWord, ...], NoDecode, BeforeValidator(_split_words)] = Field(
        ("retry", "retries"),
        min_length=1,
        max_length=8,
        description="Last path segments that mean a retry: `POST /vouchers/{id}/retry`.",
        json_schema_extra={"accepts": "1 to 8 words, as a list or with commas between"},
    )
    connections_max: Whole = _whole(
        4_096, 1, 100_000, "Open connections per switch worker; a further one is closed with an answer 500, unread."
    )
    keep_alive_s: Whole = _whole(
        75,
        1,
        3_600,
        "A connection without a request is closed after this time. Set it above what originators and proxies use, so "
        "that it is they who close.",
    )
    in_flight_max: Whole = _whole(2_048, 1, 100_000, "Requests in work per switch worker; more are answered 503.")
    in_flight_per_originator_max: Whole = _whole(
        1_024, 1, 100_000, "Requests in work per originator and switch worker; more are answered 503."
    )
    provider_in_flight_max: Whole = _whole(
        256,
        1,
        100_000,
        "Requests in work per provider and switch worker, so that a slow one holds up no other; more go to the next "
        "route or are answered 503. Keep it well below `in_flight_per_originator_max`, and at most the provider's own "
        "`max_connections`.",
    )

    breaker_failures: Whole = _whole(
        5,
        1,
        10_000,
        "So many failed calls to a provider in a row, seen by one process, have it passed over by all of them.",
    )
    breaker_cool_down_ms: Whole = _whole(
        5_000, 50, 3_600_000, "A provider that is passed over is tried again after this time, by one call."
    )
    breaker_cool_down_max_ms: Whole = _whole(
        60_000, 50, 86_400_000, "The wait doubles each time that call fails, up to this."
    )

    journal_batch_max: Whole = _whole(256, 1, 10_000, "Rows that share one commit.")
    journal_queue_max: Whole = _whole(10_000, 1, 1_000_000, "Rows waiting to be written per worker; more are refused.")
    journal_connections: Whole = _whole(4, 1, 64, "Database connections per switch worker.")
    credential_cache_s: Whole = _whole(
        300, 0, 3_600, "A verified password is remembered this long; 0 verifies each time."
    )
    catalogue_poll_ms: Whole = _whole(500, 50, 60_000, "How often each worker looks for a new catalogue version.")

    saf_parallel_max: Whole = _whole(32, 1, 1_000, "Advices under way to one provider at a time.")
    saf_backoff_initial_ms: Whole = _whole(
        1_000, 1, 600_000, "Wait before an advice's first repeat; it doubles each time."
    )
    saf_backoff_max_ms: Whole = _whole(60_000, 1, 86_400_000, "Longest wait between two repeats of an advice.")
    resolve_parallel_max: Whole = _whole(
        8, 1, 1_000, "Unknown outcomes that a worker asks one provider about at the same time."
    )
    resolve_first_ms: Whole = _whole(
        1_000, 0, 86_400_000, "An unknown outcome is asked about so long after its call has ended, never earlier."
    )
    resolve_backoff_initial_ms: Whole = _whole(
        2_000, 1, 86_400_000, "Wait before a provider is asked again about an unknown outcome; it doubles each time."
    )
    resolve_backoff_max_ms: Whole = _whole(
        300_000, 1, 86_400_000, "Longest wait between two questions about an unknown outcome."
    )
    saf_poll_ms: Whole = _whole(100, 1, 60_000, "How often an idle sender looks for advices that are due.")
    worker_lease_s: Whole = _whole(
        10, 2, 300, "A process that gives no sign of life for so long counts as dead: others resolve what it left open."
    )
    lane_lease_s: Whole = _whole(10, 1, 300, "A lane whose sender died is taken over after this time.")
    invariant_check_s: Whole = _whole(60, 1, 300, "How often the workers check the journal's invariants.")
    worker_metrics_port: Whole = Field(
        8_082,
        ge=0,
        le=65_535,
        description="Port on which a worker serves `/metrics`, on 127.0.0.1 only; 0 serves none. "
        "Each worker of a machine needs its own.",
    )
    drain_s: Whole = _whole(60, 1, 3_600, "At a stop, requests in work get this long to end.")

    trace_days: Whole = _whole(
        30, 0, 3_650, "Days that messages (the trace) are kept; 0 keeps them. Those of open requests stay longer."
    )
    closed_days: Whole = _whole(
        180,
        0,
        3_650,
        "Days after its last change that a closed request can be answered again, and a used voucher refunded; then it "
        "is archived. 0 archives nothing; else at least 30.",
    )
    voucher_days: Whole = _whole(
        1_100, 30, 7_300, "Days without a use after which a voucher that can still be redeemed is archived."
    )
    archive_dir: AbsolutePath | None = Field(
        None,
        description="Where archived requests go, as Parquet files; to be backed up with the database.",
        json_schema_extra={"default_text": "`archive` in `data_dir`", "accepts": "a directory"},
    )
    archive_hour: Whole = _whole(0, 0, 23, "The hour of the day (UTC) from which on the worker archives.")

    log_level: Annotated[Literal["debug", "info", "warning", "error"], BeforeValidator(_lower)] = Field(
        "info", description="The least severe events that are logged."
    )
    log_format: Literal["console", "json"] = Field(
        "console", description="`console` for a person, `json` for a log store: one object a line, times in UTC."
    )

    def __init__(self, **values: Any) -> None:
        """Read all sources; `values` win over them.

        Raises:
            SettingsError: for the first wrong setting.
        """
        _refuse_slips(os.environ)
        try:
            super().__init__(**values)
        except ValidationError as error:
            raise _settings_error(error, values) from None
        _refuse_contradictions(self, values)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - pydantic-settings passes it by name
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - as above
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Arguments, environment, file: no .env file and no directory of secrets, so there is one place to look."""
        return init_settings, env_settings, InitSettingsSource(settings_cls, _read_file(os.environ))

    @property
    def vault_key_path(self) -> Path:
        """Where the vault key is, set or not."""
        return self.vault_key_file or self.data_dir / "vault.key"

    @property
    def archive_path(self) -> Path:
        """Where the archive is, set or not."""
        return self.archive_dir or self.data_dir / "archive"

    def require_sandbox(self, what: str) -> None:
        """Refuse `what` ("simulators") in production.

        Raises:
            SettingsError: this is production.
        """
        if self.environment != "sandbox":
            raise SettingsError(
                "environment",
                _origin("environment", {}),
                f"{what} are refused in production",
                f"set sandbox to run {what}",
            )


def env_name(name: str) -> str:
    """The environment variable of a setting."""
    alias = Settings.model_fields[name].validation_alias
    return alias.upper() if isinstance(alias, str) else ENV_PREFIX + name.upper()


def annotation_of(field: FieldInfo) -> Any:
    """A field's type without `Annotated` and without `| None`."""
    annotation: Any = field.annotation
    if get_origin(annotation) in (Union, UnionType):
        annotation = next(member for member in get_args(annotation) if member is not type(None))
    while get_origin(annotation) is Annotated:
        annotation = get_args(annotation)[0]
    return annotation


def extra_of(field: FieldInfo, key: str) -> str | None:
    """What the field's definition says about itself beyond its type: `accepts`, `default_text`, `secret`."""
    extra = field.json_schema_extra
    value = extra.get(key) if isinstance(extra, dict) else None
    return None if value is None else str(value)


def bounds_of(field: FieldInfo) -> tuple[int, int] | None:
    """The least and the greatest value of a whole number."""
    low = next((item.ge for item in field.metadata if isinstance(item, Ge)), None)
    high = next((item.le for item in field.metadata if isinstance(item, Le)), None)
    return (low, high) if isinstance(low, int) and isinstance(high, int) else None


def accepts(field: FieldInfo) -> str:
    """What may be set, in words: "1 to 65535"."""
    stated = extra_of(field, "accepts")
    if stated is not None:
        return stated
    annotation = annotation_of(field)
    if get_origin(annotation) is Literal:
        return " or ".join(f"`{choice}`" for choice in get_args(annotation))
    bounds = bounds_of(field)
    if bounds is not None:
        return f"{bounds[0]} to {bounds[1]}"
    return "an IP address or `localhost`"


def _config_path(environ: Mapping[str, str]) -> Path | None:
    """The settings file to read, None when there is none."""
    named = environ.get(CONFIG_VARIABLE)
    if named:
        return Path(named).expanduser()
    path = Path(CONFIG_FILE)
    return path if path.exists() else None


def _read_file(environ: Mapping[str, str]) -> dict[str, Any]:
    """What the settings file holds; refuses what is not a setting."""
    path = _config_path(environ)
    if path is None:
        return {}
    origin = f"environment variable {CONFIG_VARIABLE}" if environ.get(CONFIG_VARIABLE) else "working directory"
    try:
        with path.open("rb") as file:
            values = tomllib.load(file)
    except OSError as error:
        raise SettingsError(
            "settings file",
            origin,
            f"{str(path)!r} cannot be read: {error.strerror}",
            "name a readable TOML file",
        ) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(
            "settings file", origin, f"{str(path)!r} is not TOML: {error}", "correct that place"
        ) from None
    for key in values:
        if key not in Settings.model_fields:
            near = get_close_matches(key, Settings.model_fields, n=1)
            raise SettingsError(
                key[:_QUOTED_CHARS_MAX],
                f"file {path}",
                "there is no such setting",
                f"did you mean {near[0]}?" if near else "take it out",
            )
    return values


def _refuse_slips(environ: Mapping[str, str]) -> None:
    """A misspelt variable would leave its setting at the default: VOUCHERSWITCH_ENVIROMENT=production, a sandbox."""
    variables = {name.upper(): env_name(name) for name in Settings.model_fields}
    known = {CONFIG_VARIABLE, *variables.values()}
    for variable in environ:
        name = variable.upper()
        if name in known or not name.startswith(ENV_PREFIX):
            continue
        if near := get_close_matches(name.removeprefix(ENV_PREFIX), variables, n=1, cutoff=_SLIP_SIMILARITY):
            raise SettingsError(
                near[0].lower(),
                f"environment variable {variable}",
                "there is no such setting",
                f"set {variables[near[0]]}",
            )


def _origin(name: str, values: Mapping[str, Any]) -> str:
    """Where a setting's value came from, in words. The order is that of the sources."""
    if name in values:
        return "argument"
    wanted = env_name(name)
    for variable, value in os.environ.items():
        if variable.upper() == wanted and value != "":
            return f"environment variable {variable}"
    path = _config_path(os.environ)
    if path is not None and name in _read_file(os.environ):
        return f"file {path}"
    return "default"


def _settings_error(error: ValidationError, values: Mapping[str, Any]) -> SettingsError:
    details = error.errors(include_url=False)[0]
    name = str(details["loc"][0])
    field = Settings.model_fields.get(name)
    if field is None:  # only an argument can be: the file was checked
        return SettingsError(name, "argument", "there is no such setting", "take it out")
    return SettingsError(name, _origin(name, values), _wrong(details, field), f"set {accepts(field)}")


def _wrong(details: ErrorDetails, field: FieldInfo) -> str:
    """What is wrong with a value, quoting it unless it may hold a secret."""
    if extra_of(field, "secret"):
        quoted = "the value"
    else:
        quoted = repr(details["input"])
        quoted = quoted if len(quoted) <= _QUOTED_CHARS_MAX else quoted[:_QUOTED_CHARS_MAX] + "…"
    match details["type"]:
        case "int_parsing" | "int_type" | "int_from_float" | "int_parsing_size":
            return f"{quoted} is not a whole number"
        case "greater_than_equal" | "less_than_equal":
            return f"{quoted} is out of bounds"
        case "value_error":
            return f"{quoted} {details['ctx']['error']}"
        case _:
            return f"{quoted} is not allowed"


def is_loopback(host: str) -> bool:
    """Whether only this machine can connect to an address. A name other than `localhost` may be anything."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _refuse_contradictions(settings: Settings, values: Mapping[str, Any]) -> None:
    """The rules that no single setting can state."""

    def refuse(name: str, wrong: str, fix: str) -> SettingsError:
        return SettingsError(name, _origin(name, values), wrong, fix)

    if not is_loopback(settings.interface_host):
        raise refuse(
            "interface_host",
            f"{settings.interface_host!r} would show passwords and PINs to the network: the interface is plain HTTP",
            "set 127.0.0.1 and let a TLS proxy on this machine pass requests on",
        )
    if not is_loopback(settings.console_host):
        raise refuse(
            "console_host",
            f"{settings.console_host!r} would open the console to the network: it is plain HTTP and has no login",
            "set 127.0.0.1 and reach it through an SSH tunnel",
        )
    if 0 < settings.closed_days < CLOSED_DAYS_MIN:
        raise refuse(
            "closed_days",
            f"{settings.closed_days} days are too few for late retries, refunds and the providers' files",
            f"set 0 to archive nothing, or at least {CLOSED_DAYS_MIN}",
        )
    if settings.environment == "production" and not settings.vault_key_path.is_file():
        raise refuse(
            "vault_key_file",
            f"there is no file {str(settings.vault_key_path)!r}, and production makes no key of its own",
            "set the file of the key that seals this journal's PINs",
        )

    taken: dict[int, str] = {}
    for name in ("interface_port", "console_port", "simulator_port_base", "worker_metrics_port"):
        port: int = getattr(settings, name)
        if port and port in taken:
            raise refuse(name, f"{port} is {taken[port]} as well", "set a port of its own")
        taken[port] = name

    if settings.saf_backoff_initial_ms > settings.saf_backoff_max_ms:
        raise refuse(
            "saf_backoff_initial_ms",
            f"{settings.saf_backoff_initial_ms} is more than saf_backoff_max_ms",
            f"set at most {settings.saf_backoff_max_ms}, or raise saf_backoff_max_ms",
        )

    if settings.breaker_cool_down_ms > settings.breaker_cool_down_max_ms:
        raise refuse(
            "breaker_cool_down_ms",
            f"{settings.breaker_cool_down_ms} is more than breaker_cool_down_max_ms",
            f"set at most {settings.breaker_cool_down_max_ms}, or raise breaker_cool_down_max_ms",
        )

    if settings.resolve_backoff_initial_ms > settings.resolve_backoff_max_ms:
        raise refuse(
            "resolve_backoff_initial_ms",
            f"{settings.resolve_backoff_initial_ms} is more than resolve_backoff_max_ms",
            f"set at most {settings.resolve_backoff_max_ms}, or raise resolve_backoff_max_ms",
        )

    if settings.database_url is None:
        wanted = settings.workers * settings.journal_connections
        usable = limits.EMBEDDED_CONNECTIONS_MAX - limits.EMBEDDED_CONNECTIONS_RESERVED
        if wanted > usable:
            raise refuse(
                "journal_connections",
                f"{settings.workers} workers would open {wanted} connections, the embedded database takes {usable}",
                f"set at most {max(1, usable // settings.workers)}, or a DATABASE_URL",
            )
