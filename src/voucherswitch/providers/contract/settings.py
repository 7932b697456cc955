"""Settings that all providers share, typed and checked (providers.md B.1). Read once, at start.

A provider's own settings are a subclass. Unknown keys are refused: a mistyped key would otherwise leave its default in
force, unseen. Every refusal is one line that names the key and what to set. Secrets arrive resolved, so no setting's
value is ever repeated in an error or a repr.
"""

import re
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Final, NoReturn, TypeVar, get_args, get_type_hints
from urllib.parse import urlsplit

import msgspec
from msgspec import Meta, Struct

from voucherswitch.message.codes import ErrorType
from voucherswitch.providers.contract.addresses import (
    Network,
    address_of,
    is_in,
    names_this_machine,
    network_of,
    refusal_of_host,
)
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


Pin = Annotated[str, Meta(pattern=r"^sha256/[A-Za-z0-9+/]{43}=$")]
PINS_MAX: Final = 8
NETWORKS_MAX: Final = 32


class TlsSettings(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How the provider's certificate is checked and which one we show."""

    ca_file: Path | None = None  # PEM; nobody else is trusted. None: the system's authorities are
    verify: Annotated[bool, Meta(description="true; false is for loopback only")] = True
    client_cert: Path | None = None  # PEM with our certificate, and with its key unless that is in client_key
    client_key: Path | None = None  # PEM; only its owner may read it
    pins: Annotated[
        tuple[Pin, ...],
        Meta(max_length=PINS_MAX, description="a list of sha256/… pins, of which the provider's key must be one"),
    ] = ()


# What a sandbox may reach, because its simulators are there; production has to say so (registry.build).
THIS_MACHINE: Final = ("127.0.0.0/8", "::1/128")


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
        read_timeout_ms: longest wait for the next byte of the answer, counted from when the request was written.
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
        allowed_networks: where the provider may be besides the public internet: networks of private, loopback and other
            addresses that are not public. Without it a sandbox allows this machine, and production none.
        cleartext: whether a provider in one of the `allowed_networks`, as behind a VPN, is spoken to without TLS.
        proxy_url: the HTTP proxy through which the provider is reached, by CONNECT. None: none, whatever the
            environment says.
        proxy_credentials: what the proxy wants to be told.
    """

    connect_timeout_ms: Milliseconds = 3_000
    read_timeout_ms: Milliseconds
    total_timeout_ms: Milliseconds
    settle_ms: Annotated[int, Meta(ge=0, description="a whole number of milliseconds")] = 30_000
    max_response_bytes: Annotated[int, Meta(ge=1, le=16_777_216, description="bytes, 1 to 16777216")] = 65_536
    max_connections: Annotated[int, Meta(ge=1, le=10_000, description="a whole number, 1 to 10000")] = 256
    connection_wait_ms: Milliseconds = 500
    keep_alive_ms: Milliseconds = 4_000
    tls: Annotated[
        TlsSettings,
        Meta(description="ca_file, verify, client_cert, client_key, pins: certificates, theirs and ours"),
    ] = TlsSettings()
    allowed_networks: Annotated[
        tuple[str, ...], Meta(max_length=NETWORKS_MAX, description='networks, like ["10.8.0.0/24"]')
    ] = THIS_MACHINE
    cleartext: bool = False
    proxy_url: Annotated[str, Meta(description="host and port of an HTTP proxy, like http://host:port")] | None = None
    proxy_credentials: (
        Annotated[str, Meta(pattern="^[!-~]+:[!-~]*$", description="the proxy's user:password", extra=SECRET)] | None
    ) = None
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

    def networks(self) -> tuple[Network, ...]:
        """`allowed_networks` as networks."""
        return tuple(network for text in self.allowed_networks if (network := network_of(text)) is not None)

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
    _check_outbound(typed, provider_id)
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
        ProviderSettingsError: it is no address, or not one that a provider may have.
    """
    hint, address = _hint(type(settings), "base_url"), getattr(settings, key)
    try:
        scheme, host, port = split_url(address)
    except ValueError:
        refuse(provider_id, key, "is not a URL", hint)
    if scheme not in ("http", "https") or not host or not port:
        refuse(provider_id, key, "is not an http or https URL", hint)
    if address != f"{scheme}://{urlsplit(address).netloc}" or "@" in address:
        refuse(provider_id, key, "has more than scheme, host and port", hint)
    check_host(settings, provider_id, key, host, tls=scheme == "https")


def check_host(settings: CommonSettings, provider_id: str, key: str, host: str, *, tls: bool) -> None:
    """Check where a provider is said to be. What its name stands for is judged at every connection (transport/dial.py).

    Raises:
        ProviderSettingsError: it must not be there, or not be spoken to as the settings want.
    """
    if refusal := refusal_of_host(host, settings.networks()):
        refuse(provider_id, key, refusal, "a public host, or allowed_networks to the network of this one")
    here = names_this_machine(host)
    if not tls and not here:
        address = address_of(host)
        if not settings.cleartext:
            refuse(provider_id, key, "is without TLS to another machine", "an address with TLS, or cleartext to true")
        if address is not None and not is_in(address, settings.networks()):
            refuse(provider_id, key, "is without TLS outside allowed_networks", "an address with TLS")
    if not tls and (settings.proxy_url or settings.tls.pins):
        wrong = "proxy_url" if settings.proxy_url else "tls.pins"
        refuse(provider_id, wrong, f"needs TLS, and {key} has none", f"nothing, or {key} to an address with TLS")
    if not settings.tls.verify and not here:
        refuse(provider_id, "tls.verify", "is false for another machine", "true, and tls.ca_file to its authority")


def split_url(url: str) -> tuple[str, str, int]:
    """Scheme, host without brackets, and port of a URL; host empty, port 0: there is none.

    Raises:
        ValueError: it is no URL.
    """
    parts = urlsplit(url)
    port = parts.port if parts.port is not None else {"http": 80, "https": 443}.get(parts.scheme, 0)
    return parts.scheme, parts.hostname or "", port


def _check_outbound(settings: CommonSettings, provider_id: str) -> None:
    """Check what is not about one address: the networks, the proxy and the pins."""
    kind = type(settings)
    if any(network_of(text) is None for text in settings.allowed_networks):
        refuse(provider_id, "allowed_networks", "has an entry that is no network", _hint(kind, "allowed_networks"))
    if settings.tls.pins and not settings.tls.verify:
        refuse(provider_id, "tls.pins", "needs a certificate that is checked", "nothing, or tls.verify to true")
    if settings.proxy_url is not None and not settings.tls.verify:
        refuse(provider_id, "tls.verify", "is false, and proxy_url leads to another machine", "true")
    if settings.proxy_url is None:
        if settings.proxy_credentials is not None:
            refuse(provider_id, "proxy_credentials", "is set without a proxy", "nothing, or proxy_url to the proxy")
        return
    bare = False
    try:
        scheme, host, port = split_url(settings.proxy_url)
        bare = settings.proxy_url == f"http://{urlsplit(settings.proxy_url).netloc}"
    except ValueError:
        scheme, host, port = "", "", 0
    if scheme != "http" or not host or not port or not bare:
        refuse(provider_id, "proxy_url", "is not an http URL of host and port", _hint(kind, "proxy_url"))
    if "@" in settings.proxy_url:
        refuse(provider_id, "proxy_url", "holds credentials", "host and port, and seal proxy_credentials")
    if refusal := refusal_of_host(host, settings.networks()):
        refuse(provider_id, "proxy_url", refusal, "another host, or allowed_networks to the network of this one")


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
