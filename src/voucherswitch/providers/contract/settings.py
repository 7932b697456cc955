"""Settings that all providers share, typed and checked (providers.md B.1). Read once, at start.

A provider's own settings are a subclass. Unknown keys are refused: a mistyped key would otherwise leave its default in
force, unseen. Every refusal is one line that names the key and what to set. Secrets arrive resolved, so no setting's
value is ever repeated in an error or a repr.
"""

import ipaddress
import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Final, NoReturn, TypeVar, get_args, get_type_hints
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta, Struct

from voucherswitch.message.codes import ErrorType
from voucherswitch.providers.contract.capabilities import Capabilities, Support
from voucherswitch.providers.contract.connector import ProviderSettingsError
from voucherswitch.providers.contract.families import Family, Meaning

SECRET: Final = {"secret": True}  # the mark of what opens a door: `provider set` takes it sealed only

Milliseconds = Annotated[int, Meta(ge=1, le=600_000, description="a whole number of milliseconds, 1 to 600000")]
Text = Annotated[str, Meta(min_length=1, description="text that is not empty")]
TimeOfDay = Annotated[str, Meta(pattern=r"^([01]\d|2[0-3]):[0-5]\d$", description="a time of day in SAST, like 02:30")]
Path = Annotated[str, Meta(min_length=1, description="the path of a file")]
BaseUrl = Annotated[str, Meta(description="scheme, host and port, like https://host:port, without trailing slash")]
BasePath = Annotated[str, Meta(pattern=r"^(/[^/\s]+)*$", description="a path without trailing slash")]
Secret = Annotated[str, Meta(min_length=1, description="the secret that the provider gave us", extra=SECRET)]
Credential = Annotated[
    str, Meta(pattern=r"^[!-~]+$", description="the credential that the provider gave us", extra=SECRET)
]


class TlsSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the provider's certificate is checked and which one we show."""

    ca_file: Path | None = None  # PEM, trusted besides the system's own authorities
    verify: Annotated[bool, Meta(description="true; false is for loopback only")] = True
    client_cert: Path | None = None  # PEM with our certificate and its key


class ReconSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where the provider's files arrive. Finance reads it; connectors do not."""

    inbox_dir: Path | None = None
    file_pattern: Text | None = None
    expected_at: TimeOfDay | None = None


class CommonSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The common keys, but for the address. Times are milliseconds.

    Attributes:
        base_url: the provider's address.
        connect_timeout_ms: longest wait for a connection, TLS included.
        read_timeout_ms: longest wait for the next byte of the answer; for the first one counted from the start of the
            exchange, so it should exceed `connect_timeout_ms`.
        total_timeout_ms: end of the whole operation, unless the originator's deadline is nearer.
        max_response_bytes: a longer answer is not read, and in doubt.
        pin_pattern: what every code or PIN that the provider issues looks like; another one is a bad answer.
        settle_ms: "not found" is proof only when the request left longer ago than this.
        max_connections: exchanges in flight at once, one connection each; also the size of the keep-alive pool.
        connection_wait_ms: how long an exchange waits for one of them before it is given up, unsent.
        keep_alive_ms: an idle connection is used again for this long. Below the usual 5 s of servers, because a request
            that meets a closing connection ends in doubt.
        product_map: read where orders are routed: an order arrives with the provider's product already in it.
        outlet_map: merchantId or terminalId -> the provider's store; a terminal's entry wins over its merchant's.
        default_outlet: the store of every till that `outlet_map` does not have.
    """

    connect_timeout_ms: Milliseconds = 3_000
    read_timeout_ms: Milliseconds
    total_timeout_ms: Milliseconds
    settle_ms: Annotated[int, Meta(ge=0, description="a whole number of milliseconds")] = 30_000
    max_response_bytes: Annotated[int, Meta(ge=1, le=16_777_216, description="bytes, 1 to 16777216")] = 65_536
    max_connections: Annotated[int, Meta(ge=1, le=10_000, description="a whole number, 1 to 10000")] = 256
    connection_wait_ms: Milliseconds = 500
    keep_alive_ms: Milliseconds = 4_000
    tls: Annotated[TlsSettings, Meta(description="ca_file, verify, client_cert: certificates, theirs and ours")] = (
        TlsSettings()
    )
    product_map: Annotated[dict[str, str], Meta(description="our product -> the provider's; routes say it too")] = {}
    outlet_map: Annotated[dict[str, str], Meta(description="merchantId or terminalId -> the provider's store")] = {}
    default_outlet: Text | None = None
    capabilities: Annotated[
        dict[str, str | bool], Meta(description="capability -> native, emulated, consume, local, none, yes or no")
    ] = {}
    code_map: Annotated[
        dict[str, tuple[Family, ErrorType]],
        Meta(description="provider code -> [family, errorType]; a family is Declined, NotSent or OutcomeUnknown"),
    ] = {}
    pin_pattern: Annotated[str, Meta(min_length=1, description="a regular expression for a whole PIN")]
    recon: Annotated[
        ReconSettings, Meta(description="inbox_dir, file_pattern, expected_at: where its files arrive")
    ] = ReconSettings()

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"

    def store_code(self, merchant_id: str, terminal_id: str) -> str | None:
        """The provider's store for a till; None: nothing may be sent."""
        return self.outlet_map.get(terminal_id) or self.outlet_map.get(merchant_id) or self.default_outlet

    def code_meanings(self) -> dict[str, Meaning]:
        """`code_map` as lines of a code table."""
        return {code: Meaning(family, error_type) for code, (family, error_type) in self.code_map.items()}


class ProviderSettings(CommonSettings, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The common keys of a provider that is reached over HTTP."""

    base_url: BaseUrl

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {self.base_url}>"


S = TypeVar("S", bound=CommonSettings)

_AT_KEY = re.compile(r"(?P<problem>.*) - at (?:`key` in )?`(?:key in )?\$\.?(?P<key>[^`]*)`$")
_MISSING = re.compile(r"Object missing required field `(?P<key>[^`]*)`$")
_UNKNOWN = re.compile(r"Object contains unknown field `(?P<key>[^`]*)`$")
_INDEX = re.compile(r"\[[^\]]*\]")
_INVALID_VALUE = re.compile(r"^Invalid enum value .*$")  # msgspec quotes the value; we never do


def read_settings(settings_type: type[S], provider_id: str, settings: Mapping[str, object]) -> S:
    """Check a provider's settings and return them typed.

    Raises:
        ProviderSettingsError: one line that names the key and what to set.
    """
    try:
        typed = msgspec.convert(dict(settings), settings_type)
    except msgspec.ValidationError as error:
        raise ProviderSettingsError(_explain(settings_type, provider_id, str(error))) from None
    if isinstance(typed, ProviderSettings):
        check_base_url(typed, provider_id)
    try:
        re.compile(typed.pin_pattern)
    except re.error:
        refuse(provider_id, "pin_pattern", "is not a regular expression", _hint(settings_type, "pin_pattern"))
    return typed


def secret_keys(settings_type: type[CommonSettings]) -> frozenset[str]:
    """The settings that open a door, by the mark beside their type."""
    hints = get_type_hints(settings_type, include_extras=True)
    return frozenset(
        key for key, hint in hints.items() if any((meta.extra or {}).get("secret") for meta in metas(hint))
    )


def secrets_of_settings(settings: CommonSettings) -> tuple[str, ...]:
    """The values that open a door: what no trace may hold, wherever a provider quotes it."""
    values = (getattr(settings, key) for key in sorted(secret_keys(type(settings))))
    return tuple(value for value in values if isinstance(value, str))


def metas(hint: Any) -> Iterator[Meta]:
    """What is written beside a setting's type, also where the type is one of several."""
    for part in (hint, *get_args(hint)):
        yield from (meta for meta in getattr(part, "__metadata__", ()) if isinstance(meta, Meta))


def refuse(provider_id: str, key: str, problem: str, hint: str) -> NoReturn:
    """Raise the one-line refusal of a key."""
    raise ProviderSettingsError(f"providers.{provider_id}.{key} {problem}; set it to {hint}")


def is_loopback(host: str | None) -> bool:
    """Whether a URL's host is this machine: the only place where plain HTTP and unchecked certificates are allowed."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host or "").is_loopback
    except ValueError:
        return False


_BOOLEANS: Final = {"yes": True, "no": False, True: True, False: False}


def override_capabilities(record: Capabilities, provider_id: str, overrides: Mapping[str, str | bool]) -> Capabilities:
    """Return the record with the settings' `capabilities` in place of its own values.

    Keys are written as in the capability record (`confirmRedeem`); values are those of B.5, or yes and no.

    Raises:
        ProviderSettingsError: no such capability, or a value that it cannot have.
    """
    fields = {_camel(name): name for name in record.__struct_fields__}
    changes: dict[str, Support | bool] = {}
    for key, value in overrides.items():
        name = fields.get(key)
        if name is None:
            refuse(provider_id, f"capabilities.{key}", "is not a capability", f"one of {', '.join(fields)}")
        if isinstance(getattr(record, name), bool):
            if value not in _BOOLEANS:
                refuse(provider_id, f"capabilities.{key}", "is not yes or no", "yes or no")
            changes[name] = _BOOLEANS[value]
        elif value in list(Support):
            changes[name] = Support(value)
        else:
            refuse(provider_id, f"capabilities.{key}", "is not a way to serve", f"one of {', '.join(Support)}")
    return msgspec.structs.replace(record, **changes)


def check_base_url(settings: ProviderSettings, provider_id: str, key: str = "base_url") -> None:
    """Check one address of the settings; a provider with several checks each.

    Raises:
        ProviderSettingsError: it is no address, or not a safe one.
    """
    hint, address = _hint(type(settings), "base_url"), getattr(settings, key)
    try:
        url = urlsplit(address)
        host, _ = url.hostname, url.port
    except ValueError:
        refuse(provider_id, key, "is not a URL", hint)
    if url.scheme not in ("http", "https") or not host:
        refuse(provider_id, key, "is not an http or https URL", hint)
    if address != f"{url.scheme}://{url.netloc}" or "@" in url.netloc:
        refuse(provider_id, key, "has more than scheme, host and port", hint)
    if url.scheme == "http" and not is_loopback(host):
        refuse(provider_id, key, "is plain http to another machine", "an https address")
    if not settings.tls.verify and not is_loopback(host):
        refuse(provider_id, "tls.verify", "is false for another machine", "true, and tls.ca_file to its authority")


def _explain(settings_type: type[CommonSettings], provider_id: str, text: str) -> str:
    """Turn msgspec's refusal into ours: `Expected `int`, got `str` - at `$.settle_ms`` names a key we can explain."""
    parent = ""
    if found := _AT_KEY.match(text):
        text, parent = found["problem"], _INDEX.sub("", found["key"])
    if missing := _MISSING.match(text):
        key = f"{parent}.{missing['key']}".lstrip(".")
        return f"providers.{provider_id}.{key} is missing; set it to {_hint(settings_type, key)}"
    if unknown := _UNKNOWN.match(text):
        key = f"{parent}.{unknown['key']}".lstrip(".")
        known = ", ".join(_known_keys(settings_type, parent))
        return f"providers.{provider_id}.{key} is not a setting; remove it or set one of {known}"
    problem = _INVALID_VALUE.sub("is not an allowed word", text).replace("`", "")
    problem = problem[:1].lower() + problem[1:]
    return f"providers.{provider_id}.{parent}: {problem}; set it to {_hint(settings_type, parent)}"


def _known_keys(settings_type: type[CommonSettings], parent: str) -> tuple[str, ...]:
    nested = {"tls": TlsSettings, "recon": ReconSettings}.get(parent, settings_type)
    return nested.__struct_fields__


def _hint(settings_type: type[CommonSettings], key: str) -> str:
    """What a key must be: the description written beside its type."""
    nested, _, last = key.rpartition(".")
    owner = {"tls": TlsSettings, "recon": ReconSettings}.get(nested, settings_type)
    found = metas(get_type_hints(owner, include_extras=True).get(last))
    return next((meta.description for meta in found if meta.description), "a value of the right type")


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)
