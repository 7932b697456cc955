"""Settings: what an operator may set, read once at start and passed down.

Sources, the first that has a value wins: arguments, environment variables (`VOUCHERSWITCH_…`, and `DATABASE_URL`), the
file `voucherswitch.toml` in the working directory or the one that `VOUCHERSWITCH_CONFIG` names, the default.
Nothing here creates files or opens connections. A wrong setting is refused with one line, never corrected.

The types of values are in kinds.py, the sources in reading.py, what settings may not contradict in rules.py.
"""

import os
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, ValidationError
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from voucherswitch.config import limits
from voucherswitch.config.kinds import (
    SIGNATURES,
    AbsolutePath,
    Host,
    Networks,
    PathWord,
    Whole,
    cores,
    issuer_url,
    lower,
    networks,
    port,
    postgresql_url,
    signature,
    split_command,
    split_words,
    whole,
)
from voucherswitch.config.reading import (
    ENV_PREFIX,
    SettingsError,
    origin_of,
    read_file,
    refuse_slips,
    settings_error,
    variable_of,
)
from voucherswitch.config.rules import refuse_contradictions

__all__ = ["Settings", "SettingsError", "env_name"]


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
    database_url: Annotated[str, AfterValidator(postgresql_url)] | None = Field(
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
        description="The keys that seal PINs. Missing: made in a sandbox, refused in production.",
        json_schema_extra={"default_text": "`vault.key` in `data_dir`", "accepts": "a file"},
    )
    vault_keys: SecretStr | None = Field(
        None,
        description="The text of the key file itself, instead of a file; in the environment only.",
        json_schema_extra={
            "default_text": "unset",
            "accepts": "what a key file holds",
            "secret": True,
            "environment_only": True,
        },
    )
    vault_key_command: Annotated[tuple[str, ...], NoDecode, BeforeValidator(split_command)] = Field(
        (),
        max_length=64,
        repr=False,  # its arguments may open a key store
        description="A command that prints the text of the key file, instead of a file: the client of a key management "
        "service. It is run without a shell.",
        json_schema_extra={"default_text": "unset", "accepts": "a program with its arguments", "secret": True},
    )

    interface_host: Host = Field(
        "127.0.0.1",
        description="Address on which originators are served without TLS. Other than loopback only with "
        "`trusted_edges`.",
    )
    interface_port: Whole = port(8080, "Port on which originators are served without TLS.")
    tls_host: Host = Field("127.0.0.1", description="Address on which originators are served over TLS.")
    tls_port: Whole = port(8443, "Port on which originators are served over TLS, once `tls_certificate_file` is set.")
    tls_certificate_file: AbsolutePath | None = Field(
        None,
        description="Our certificate and the authorities between it and its root, PEM. Set: the interface is served "
        "over TLS on `tls_port`, and so is the console. Read anew when it changes.",
        json_schema_extra={
            "default_text": "unset; `voucherswitch up`: `certs/server.pem` in `data_dir`",
            "accepts": "a file",
        },
    )
    tls_key_file: AbsolutePath | None = Field(
        None,
        description="The key of `tls_certificate_file`, PEM, not encrypted, readable by its owner only.",
        json_schema_extra={
            "default_text": "unset; `voucherswitch up`: `certs/server.key` in `data_dir`",
            "accepts": "a file",
        },
    )
    tls_client_certificates: Literal["off", "optional", "required"] = Field(
        "off",
        description="Whether the interface asks for a client certificate over TLS: who has none or a wrong one is not "
        "let in (`required`); who has none may come unless his originator has certificates registered (`optional`).",
    )
    tls_client_ca_file: AbsolutePath | None = Field(
        None,
        description="The authorities that client certificates must come from, up to their roots, PEM.",
        json_schema_extra={"default_text": "unset", "accepts": "a file"},
    )
    tls_client_revocations_file: AbsolutePath | None = Field(
        None,
        description="Revocation lists (CRL) of all of these authorities, PEM. Unset: revocation is not looked at. Out "
        "of date: no client certificate is accepted.",
        json_schema_extra={"default_text": "unset", "accepts": "a file"},
    )
    console_host: Host = Field(
        "127.0.0.1",
        description="Address on which the console is served. Other than loopback only with `tls_certificate_file` and "
        "`console_client_ca_file`.",
    )
    console_port: Whole = port(8081, "Port on which the console is served.")
    console_client_ca_file: AbsolutePath | None = Field(
        None,
        description="The authorities that operators' certificates must come from, up to their roots, PEM; not those of "
        "originators. Set: the console is served over TLS, to who has such a certificate.",
        json_schema_extra={"default_text": "unset", "accepts": "a file"},
    )
    console_client_revocations_file: AbsolutePath | None = Field(
        None,
        description="Revocation lists (CRL) of all of these authorities, PEM, as `tls_client_revocations_file`.",
        json_schema_extra={"default_text": "unset", "accepts": "a file"},
    )
    console_sources: Networks = networks("Networks that may connect to the console, besides loopback.")
    console_hostnames: Annotated[tuple[Host, ...], NoDecode, BeforeValidator(split_words)] = Field(
        (),
        max_length=8,
        description="Names by which browsers may ask for the console, besides those of loopback.",
        json_schema_extra={"default_text": "none", "accepts": "up to 8 host names, as a list or with commas between"},
    )
    console_session_idle_s: Whole = whole(900, 60, 86_400, "An operator's session ends after so long without use.")
    console_session_max_s: Whole = whole(36_000, 300, 86_400, "An operator's session ends after so long anyway.")
    console_single_admin: bool = Field(
        False,
        description="Let production do with one active admin instead of two, so that nobody can approve what that one "
        "asks for.",
        json_schema_extra={"accepts": "`true` or `false`"},
    )
    console_oidc_issuer: Annotated[str, AfterValidator(issuer_url)] | None = Field(
        None,
        description="The identity provider with which operators may sign in (OpenID Connect), as its tokens name it.",
        json_schema_extra={"default_text": "unset: passwords only", "accepts": "`https://…`"},
    )
    console_oidc_client_id: str = Field(
        "",
        max_length=255,
        description="What the identity provider calls the console.",
        json_schema_extra={"default_text": "unset", "accepts": "a text"},
    )
    console_oidc_client_secret: SecretStr | None = Field(
        None,
        repr=False,
        description="What the console proves itself with to the identity provider; in the environment only.",
        json_schema_extra={"default_text": "unset", "accepts": "a text", "secret": True, "environment_only": True},
    )
    console_oidc_redirect_url: str = Field(
        "",
        max_length=500,
        description="Where the identity provider sends operators back to.",
        json_schema_extra={"default_text": "unset", "accepts": "`https://console.example/signin/oidc/callback`"},
    )
    console_oidc_roles: Annotated[tuple[str, ...], NoDecode, BeforeValidator(split_words)] = Field(
        (),
        max_length=200,
        description="The roles that groups of the identity provider get at their first sign-in; others: `viewer`.",
        json_schema_extra={"default_text": "none", "accepts": "`group=role`, with commas between"},
    )
    console_oidc_groups_claim: PathWord = Field(
        "groups",
        description="The claim of its tokens that holds a person's groups.",
        json_schema_extra={"accepts": "a word"},
    )
    console_oidc_strong_acr: Annotated[tuple[str, ...], NoDecode, BeforeValidator(split_words)] = Field(
        (),
        max_length=20,
        description="Values of `acr` that mean that it asked for a second factor; `amr` with `mfa` always does.",
        json_schema_extra={"default_text": "none", "accepts": "words, with commas between"},
    )
    console_oidc_only: bool = Field(
        False,
        description="Close password sign-in for operators, but for the break-glass admin; needs `console_oidc_issuer`.",
        json_schema_extra={"accepts": "`true` or `false`"},
    )
    approval_expiry_h: Whole = whole(72, 1, 720, "A request that nobody has decided expires after so many hours.")
    simulator_host: Host = Field("127.0.0.1", description="Address on which the provider simulators are served.")
    simulator_port_base: Whole = port(
        9100, "Port of the first provider simulator; each further one takes the next port."
    )

    # Who may connect. Loopback always may.
    interface_sources: Networks = networks(
        "Networks that may connect to `interface_port`, or come to it through a trusted edge, besides loopback. "
        "Through an edge the originators' own sources may too."
    )
    tls_sources: Networks = networks(
        "Networks that may connect to `tls_port`, besides loopback and the originators' own sources."
    )
    trusted_edges: Networks = networks(
        "Networks of the TLS edges and balancers in front of the switch: they, and nobody else, may say who speaks. "
        "Without them the interface without TLS is for this machine only."
    )
    proxy_protocol: bool = Field(
        False,
        description="Connections from `trusted_edges` begin with the PROXY protocol (version 1 or 2) and are closed if "
        "they do not. While it is on, `Forwarded` and `Client-Cert` come from the client and count for nothing.",
        json_schema_extra={"default_text": "`false`", "accepts": "`true` or `false`"},
    )

    workers: Whole = Field(
        default_factory=cores,
        ge=1,
        le=64,
        description="Switch processes that share the interface's port.",
        json_schema_extra={"default_text": "number of cores"},
    )
    answer_margin_s: Whole = whole(
        5, 1, 30, "The switch answers this long before the originator's deadline at the latest."
    )
    retry_path_suffixes: Annotated[tuple[PathWord, ...], NoDecode, BeforeValidator(split_words)] = Field(
        ("retry", "retries"),
        min_length=1,
        max_length=8,
        description="Last path segments that mean a retry: `POST /vouchers/{id}/retry`.",
        json_schema_extra={"accepts": "1 to 8 words, as a list or with commas between"},
    )
    connections_max: Whole = whole(
        4_096, 1, 100_000, "Open connections per switch worker; a further one is closed with an answer 500, unread."
    )
    connections_per_source_max: Whole = whole(
        2_048,
        1,
        100_000,
        "Open connections per source and switch worker; a further one is closed with an answer 500, unread. Those of "
        "`trusted_edges`, which carry the requests of many sources, are not counted.",
    )
    keep_alive_s: Whole = whole(
        75,
        1,
        3_600,
        "A connection without a request is closed after this time. Set it above what originators and proxies use, so "
        "that it is they who close.",
    )
    in_flight_max: Whole = whole(2_048, 1, 100_000, "Requests in work per switch worker; more are answered 503.")
    in_flight_per_originator_max: Whole = whole(
        1_024, 1, 100_000, "Requests in work per originator and switch worker; more are answered 503."
    )
    source_requests_per_s: Whole = whole(
        0,
        0,
        100_000,
        "Requests in a second per source and switch worker; more are answered 503. 0: as many as come. An originator's "
        "own bound is set with `originator set --requests-per-s`.",
    )
    product_lookups_per_s: Whole = whole(
        100,
        0,
        100_000,
        "Product lookups in a second per originator and switch worker; more are answered 503, so that they leave "
        "processor time for sales. 0: as many as come.",
    )
    provider_in_flight_max: Whole = whole(
        256,
        1,
        100_000,
        "Requests in work per provider and switch worker, so that a slow one holds up no other; more go to the next "
        "route or are answered 503. Keep it well below `in_flight_per_originator_max`, and at most the provider's own "
        "`max_connections`.",
    )

    breaker_failures: Whole = whole(
        5,
        1,
        10_000,
        "So many failed calls to a provider in a row, seen by one process, have it passed over by all of them.",
    )
    breaker_cool_down_ms: Whole = whole(
        5_000, 50, 3_600_000, "A provider that is passed over is tried again after this time, by one call."
    )
    breaker_cool_down_max_ms: Whole = whole(
        60_000, 50, 86_400_000, "The wait doubles each time that call fails, up to this."
    )

    journal_batch_max: Whole = whole(256, 1, 10_000, "Rows that share one commit.")
    journal_queue_max: Whole = whole(10_000, 1, 1_000_000, "Rows waiting to be written per worker; more are refused.")
    journal_connections: Whole = whole(4, 1, 64, "Database connections per switch worker.")
    credential_cache_s: Whole = whole(
        300, 0, 3_600, "A verified password is remembered this long; 0 verifies each time."
    )
    catalogue_poll_ms: Whole = whole(500, 50, 60_000, "How often each worker looks for a new catalogue version.")

    authentication: Annotated[tuple[Literal["basic", "oauth2"], ...], NoDecode, BeforeValidator(split_words)] = Field(
        ("basic", "oauth2"),
        min_length=1,
        max_length=2,
        description="How originators may prove who they are. Without `oauth2` there is no token endpoint either.",
        json_schema_extra={"accepts": "`basic`, `oauth2`, or both with a comma between"},
    )
    token_issuer: Annotated[str, AfterValidator(issuer_url)] | None = Field(
        None,
        description="The address under which originators reach the interface: the issuer of our tokens, and the "
        "beginning of the addresses that `/.well-known/oauth-authorization-server` tells.",
        json_schema_extra={"default_text": "the interface's own address", "accepts": "`https://…`"},
    )
    token_lifetime_s: Whole = whole(900, 60, limits.TOKEN_LIFETIME_S_MAX, "An access token counts so long.")
    refresh_lifetime_s: Whole = whole(
        86_400,
        300,
        2_592_000,
        "A log-in by password can be prolonged so long by refresh tokens; then it takes the password again.",
    )
    refresh_grace_s: Whole = whole(
        60, 0, 600, "A refresh token whose answer was lost can be exchanged once more within this time; 0: never."
    )
    refresh_tokens_max: Whole = whole(
        1_000, 1, 100_000, "Log-ins by password of one originator that are kept; one more ends its oldest."
    )
    token_key_days: Whole = whole(30, 1, 365, "The key that signs tokens is replaced after so many days.")
    oauth_audience: Annotated[str, Field(pattern=r"^[!-~]{1,200}$")] = Field(
        "suv",
        description="What a token must name as its audience, ours and an outside issuer's.",
        json_schema_extra={"accepts": "1 to 200 printable characters without space"},
    )
    oauth_issuer: Annotated[str, AfterValidator(issuer_url)] | None = Field(
        None,
        description="An issuer besides us whose tokens count, as it names itself in them.",
        json_schema_extra={"default_text": "unset", "accepts": "`https://…`"},
    )
    oauth_jwks_url: Annotated[str, AfterValidator(issuer_url)] | None = Field(
        None,
        description="Where that issuer publishes its keys. `https`, except on this machine.",
        json_schema_extra={"default_text": "unset", "accepts": "`https://…`"},
    )
    oauth_algorithms: Annotated[
        tuple[Annotated[str, AfterValidator(signature)], ...], NoDecode, BeforeValidator(split_words)
    ] = Field(
        ("ES256", "RS256"),
        min_length=1,
        max_length=len(SIGNATURES),
        description="What that issuer may sign with; a token that names anything else is refused.",
        json_schema_extra={"accepts": f"{', '.join(SIGNATURES)}, as a list or with commas between"},
    )
    oauth_originator_claim: Annotated[str, Field(pattern=r"^[A-Za-z0-9_:/.-]{1,100}$")] = Field(
        "sub",
        description="Which claim of that issuer's tokens holds the originator's id.",
        json_schema_extra={"accepts": "the name of a claim"},
    )

    saf_parallel_max: Whole = whole(64, 1, 1_000, "Advices under way to one provider at a time.")
    saf_backoff_initial_ms: Whole = whole(
        1_000, 1, 600_000, "Wait before an advice's first repeat; it doubles each time."
    )
    saf_backoff_max_ms: Whole = whole(60_000, 1, 86_400_000, "Longest wait between two repeats of an advice.")
    resolve_parallel_max: Whole = whole(
        8, 1, 1_000, "Unknown outcomes that a worker asks one provider about at the same time."
    )
    resolve_first_ms: Whole = whole(
        1_000, 0, 86_400_000, "An unknown outcome is asked about so long after its call has ended, never earlier."
    )
    resolve_backoff_initial_ms: Whole = whole(
        2_000, 1, 86_400_000, "Wait before a provider is asked again about an unknown outcome; it doubles each time."
    )
    resolve_backoff_max_ms: Whole = whole(
        300_000, 1, 86_400_000, "Longest wait between two questions about an unknown outcome."
    )
    saf_poll_ms: Whole = whole(100, 1, 60_000, "How often an idle sender looks for advices that are due.")
    worker_lease_s: Whole = whole(
        10, 2, 300, "A process that gives no sign of life for so long counts as dead: others resolve what it left open."
    )
    lane_lease_s: Whole = whole(10, 1, 300, "A lane whose sender died is taken over after this time.")
    invariant_check_s: Whole = whole(60, 1, 300, "How often the workers check the journal's invariants.")
    worker_metrics_port: Whole = Field(
        8_082,
        ge=0,
        le=65_535,
        description="Port on which a worker serves `/metrics`, on 127.0.0.1 only; 0 serves none. "
        "Each worker of a machine needs its own.",
    )
    drain_s: Whole = whole(60, 1, 3_600, "At a stop, requests in work get this long to end.")

    trace_days: Whole = whole(
        30, 0, 3_650, "Days that messages (the trace) are kept; 0 keeps them. Those of open requests stay longer."
    )
    closed_days: Whole = whole(
        180,
        0,
        3_650,
        "Days after its last change that a closed request can be answered again, and a used voucher refunded; then it "
        "is archived. 0 archives nothing; else at least 30.",
    )
    voucher_days: Whole = whole(
        1_100, 30, 7_300, "Days without a use after which a voucher that can still be redeemed is archived."
    )
    archive_dir: AbsolutePath | None = Field(
        None,
        description="Where archived requests go, as Parquet files; to be backed up with the database.",
        json_schema_extra={"default_text": "`archive` in `data_dir`", "accepts": "a directory"},
    )
    archive_hour: Whole = whole(0, 0, 23, "The hour of the day (UTC) from which on the worker archives.")

    log_level: Annotated[Literal["debug", "info", "warning", "error"], BeforeValidator(lower)] = Field(
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
        refuse_slips(os.environ, type(self).model_fields)
        try:
            super().__init__(**values)
        except ValidationError as error:
            raise settings_error(error, values, type(self).model_fields) from None
        refuse_contradictions(
            self,
            lambda name, wrong, fix: SettingsError(name, origin_of(name, values, type(self).model_fields), wrong, fix),
        )

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
        return (
            init_settings,
            env_settings,
            InitSettingsSource(settings_cls, read_file(os.environ, settings_cls.model_fields)),
        )

    @property
    def vault_key_path(self) -> Path:
        """Where the vault key is, set or not."""
        return self.vault_key_file or self.data_dir / "vault.key"

    @property
    def issuer(self) -> str:
        """Who our tokens are from, set or not."""
        tls = self.tls_certificate_file is not None
        host, port = (self.tls_host, self.tls_port) if tls else (self.interface_host, self.interface_port)
        own = f"{'https' if tls else 'http'}://{f'[{host}]' if ':' in host else host}:{port}"
        return (self.token_issuer or own).rstrip("/")

    @property
    def archive_path(self) -> Path:
        """Where the archive is, set or not."""
        return self.archive_dir or self.data_dir / "archive"

    def refusal(self, name: str, wrong: str, fix: str) -> SettingsError:
        """What to raise about a setting whose value turned out to be unusable."""
        return SettingsError(name, origin_of(name, {}, type(self).model_fields), wrong, fix)

    @property
    def is_sandbox(self) -> bool:
        """Whether what only a sandbox may do is allowed."""
        return self.environment == "sandbox"

    def require_sandbox(self, what: str) -> None:
        """Refuse `what` ("simulators") in production.

        Raises:
            SettingsError: this is production.
        """
        if self.environment != "sandbox":
            raise self.refusal("environment", f"{what} are refused in production", f"set sandbox to run {what}")


def env_name(name: str) -> str:
    """The environment variable of a setting."""
    return variable_of(Settings.model_fields, name)
