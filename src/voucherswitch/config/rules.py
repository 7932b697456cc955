"""The rules that no single setting can state: settings that contradict each other, or this environment."""

from collections.abc import Callable
from ipaddress import ip_address
from typing import TYPE_CHECKING, Final, TypeAlias
from urllib.parse import urlsplit

from voucherswitch.config import limits
from voucherswitch.config.reading import SettingsError

if TYPE_CHECKING:
    from voucherswitch.config.settings import Settings

# Fewer, and a retry, a refund or a provider's daily file may come after its request was archived.
CLOSED_DAYS_MIN: Final = 30

# A pause that grows, and how far.
_FIRST_AND_LONGEST: Final = (
    ("saf_backoff_initial_ms", "saf_backoff_max_ms"),
    ("breaker_cool_down_ms", "breaker_cool_down_max_ms"),
    ("resolve_backoff_initial_ms", "resolve_backoff_max_ms"),
)

# Addresses of keys, passwords and codes.
_CONFIDENTIAL: Final = (
    "token_issuer",
    "oauth_issuer",
    "oauth_jwks_url",
    "console_oidc_issuer",
    "console_oidc_redirect_url",
)

# Makes the error of a setting: its name, what is wrong with it, what to set.
Refusal: TypeAlias = Callable[[str, str, str], SettingsError]


def is_loopback(host: str) -> bool:
    """Whether only this machine can connect to an address. A name other than `localhost` may be anything."""
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def refuse_contradictions(settings: "Settings", refuse: Refusal) -> None:
    """Raise what `refuse` makes of the first contradiction."""
    _refuse_open_doors(settings, refuse)
    _refuse_half_an_identity_provider(settings, refuse)
    if 0 < settings.closed_days < CLOSED_DAYS_MIN:
        raise refuse(
            "closed_days",
            f"{settings.closed_days} days are too few for late retries, refunds and the providers' files",
            f"set 0 to archive nothing, or at least {CLOSED_DAYS_MIN}",
        )
    _refuse_key_sources(settings, refuse)

    _refuse_issuers(settings, refuse)

    taken: dict[int, str] = {}
    for name in ("interface_port", "tls_port", "console_port", "simulator_port_base", "worker_metrics_port"):
        port: int = getattr(settings, name)
        if port and port in taken:
            raise refuse(name, f"{port} is {taken[port]} as well", "set a port of its own")
        taken[port] = name

    for first, longest in _FIRST_AND_LONGEST:
        if getattr(settings, first) > (most := getattr(settings, longest)):
            raise refuse(
                first,
                f"{getattr(settings, first)} is more than {longest}",
                f"set at most {most}, or raise {longest}",
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


def _refuse_key_sources(settings: "Settings", refuse: Refusal) -> None:
    """One source of vault keys, and in production one that is there."""
    sources = ("vault_key_file", "vault_keys", "vault_key_command")
    named = [name for name in sources if getattr(settings, name)]
    if len(named) > 1:
        raise refuse(named[1], f"{named[0]} is set as well", f"set one of {', '.join(sources)}")
    if settings.environment == "production" and named in ([], ["vault_key_file"]):
        path = settings.vault_key_path
        if not path.is_file():
            raise refuse(
                "vault_key_file",
                f"there is no file {str(path)!r}, and production makes no key of its own",
                "set the file of this journal's keys; the first one is made by: voucherswitch vault create",
            )


def _refuse_open_doors(settings: "Settings", refuse: Refusal) -> None:
    """Passwords and PINs cross no network in the clear, and client certificates are checked or not asked for."""
    if not is_loopback(settings.interface_host) and not settings.trusted_edges:
        raise refuse(
            "interface_host",
            f"{settings.interface_host!r} would show passwords and PINs to the network: this address is plain HTTP",
            "set 127.0.0.1 and serve TLS (tls_host, tls_certificate_file), or name the TLS edges in trusted_edges",
        )
    if not is_loopback(settings.console_host) and settings.console_client_ca_file is None:
        raise refuse(
            "console_host",
            f"{settings.console_host!r} would open the console to the network: it has no login",
            "set 127.0.0.1 and reach it through an SSH tunnel, or let it ask operators for certificates: "
            "console_client_ca_file",
        )
    if settings.console_client_ca_file is not None and settings.console_client_ca_file == settings.tls_client_ca_file:
        raise refuse(
            "console_client_ca_file",
            "is tls_client_ca_file, so that every originator could see the console",
            "set an authority of the operators' own",
        )
    if any(network.prefixlen == 0 for network in settings.trusted_edges):
        raise refuse(
            "trusted_edges", "everybody could say who speaks", "set the addresses of your edges, nothing wider"
        )
    if settings.proxy_protocol and not settings.trusted_edges:
        raise refuse("proxy_protocol", "nobody may use it: trusted_edges is empty", "set trusted_edges, or false")
    for name, needed in (
        ("tls_certificate_file", "tls_key_file"),
        ("tls_key_file", "tls_certificate_file"),
        ("tls_client_ca_file", "tls_certificate_file"),
        ("tls_client_revocations_file", "tls_client_ca_file"),
        ("console_client_ca_file", "tls_certificate_file"),
        ("console_client_revocations_file", "console_client_ca_file"),
    ):
        if getattr(settings, name) is not None and getattr(settings, needed) is None:
            raise refuse(needed, f"is not set, and {name} is of no use without it", "set the file, PEM")
    if settings.tls_client_certificates == "off":
        if settings.tls_client_ca_file is not None:
            raise refuse(
                "tls_client_certificates",
                "'off' asks nobody for a certificate, though tls_client_ca_file is set",
                "set `optional` or `required`, or take tls_client_ca_file out",
            )
    elif settings.tls_client_ca_file is None:
        raise refuse(
            "tls_client_ca_file",
            f"is not set, and tls_client_certificates is {settings.tls_client_certificates!r}",
            "set the file of the authorities that client certificates must come from, PEM",
        )


def _refuse_issuers(settings: "Settings", refuse: Refusal) -> None:
    """The issuers of tokens: ours, and one outside."""
    for name in _CONFIDENTIAL:
        url: str | None = getattr(settings, name)
        if url and urlsplit(url).scheme != "https" and not is_loopback(urlsplit(url).hostname or ""):
            raise refuse(name, f"{url!r} would carry keys or passwords in clear", "set an https address")
    if settings.oauth_issuer is None:
        if settings.oauth_jwks_url is not None:
            raise refuse("oauth_issuer", "unset, although oauth_jwks_url is set", "set the issuer that its keys are of")
        return
    if "oauth2" not in settings.authentication:
        raise refuse("authentication", "oauth2 is off, although oauth_issuer is set", "set basic,oauth2 or oauth2")
    if settings.oauth_jwks_url is None:
        raise refuse("oauth_jwks_url", "unset, although oauth_issuer is set", "set where it publishes its keys")
    if settings.oauth_issuer.rstrip("/") == settings.issuer:
        raise refuse("oauth_issuer", "it is the issuer of our own tokens", "set another, or leave it out")


def _refuse_half_an_identity_provider(settings: "Settings", refuse: Refusal) -> None:
    if settings.console_oidc_issuer is None:
        if settings.console_oidc_only:
            raise refuse(
                "console_oidc_only",
                "passwords would be closed, and nothing else is open",
                "set console_oidc_issuer too",
            )
        return
    for name in ("console_oidc_client_id", "console_oidc_client_secret", "console_oidc_redirect_url"):
        if not getattr(settings, name):
            raise refuse(name, "console_oidc_issuer is set and this is not", "set what the identity provider gave you")
    for pair in settings.console_oidc_roles:
        if not all(pair.partition("=")):
            raise refuse("console_oidc_roles", f"{pair!r} is not a group and a role", "set group=role")
