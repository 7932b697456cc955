"""Settings: where a value comes from, what is refused, and that a refusal is one line somebody can act on."""

import json
import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import ValidationError

from voucherswitch.config.settings import Settings, SettingsError, env_name
from voucherswitch.message.parties import Voucher
from voucherswitch.message.smells import is_secret
from voucherswitch.monitoring.logs import MASK, mask_secrets


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """No variables and an empty working directory, which is returned."""
    for variable in list(os.environ):
        if variable.startswith("VOUCHERSWITCH_") or variable == "DATABASE_URL":
            monkeypatch.delenv(variable)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def refusal(**values: object) -> str:
    with pytest.raises(SettingsError) as caught:
        Settings(**values)
    message = str(caught.value)
    assert "\n" not in message
    return message


def test_the_defaults_are_a_sandbox_on_this_machine(nothing_set: Path) -> None:
    settings = Settings()
    assert settings.environment == "sandbox"
    assert settings.data_dir == nothing_set / ".voucherswitch"
    assert settings.vault_key_path == nothing_set / ".voucherswitch/vault.key"
    assert settings.database_url is None
    assert 1 <= settings.workers <= 64
    assert settings.retry_path_suffixes == ("retry", "retries")


def test_arguments_win_over_variables_over_the_file_over_defaults(
    nothing_set: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("voucherswitch.toml").write_text("workers = 3\ndrain_s = 3\nsaf_poll_ms = 3\n")
    monkeypatch.setenv("VOUCHERSWITCH_WORKERS", "2")
    monkeypatch.setenv("VOUCHERSWITCH_DRAIN_S", "2")
    settings = Settings(workers=1)
    assert (settings.workers, settings.drain_s, settings.saf_poll_ms) == (1, 2, 3)
    assert settings.answer_margin_s == 5


def test_the_file_may_be_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "other.toml"
    file.write_text('retry_path_suffixes = ["again"]\ndatabase_url = "postgresql://h/db"\n')
    monkeypatch.setenv("VOUCHERSWITCH_CONFIG", str(file))
    settings = Settings()
    assert settings.retry_path_suffixes == ("again",)
    assert settings.database_url == "postgresql://h/db"


def test_the_database_url_is_the_usual_variable_and_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DATABASE_URL", "postgresql://u:secret@h/db")
    settings = Settings()
    assert settings.database_url == "postgresql://u:secret@h/db"
    assert "secret" not in repr(settings)


def test_an_empty_variable_is_unset(monkeypatch: pytest.MonkeyPatch) -> None:
    """Compose files pass on variables that are not set as empty texts."""
    monkeypatch.setenv("DATABASE_URL", "")
    monkeypatch.setenv("VOUCHERSWITCH_WORKERS", "")
    assert Settings().database_url is None


def test_a_list_may_be_written_with_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VOUCHERSWITCH_RETRY_PATH_SUFFIXES", "retry, again")
    assert Settings().retry_path_suffixes == ("retry", "again")


def test_settings_cannot_be_changed() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        Settings().workers = 2


@pytest.mark.parametrize(
    ("variable", "value", "message"),
    [
        (
            "VOUCHERSWITCH_WORKERS",
            "many",
            "workers (environment variable VOUCHERSWITCH_WORKERS): 'many' is not a whole number; set 1 to 64",
        ),
        (
            "VOUCHERSWITCH_WORKERS",
            "65",
            "workers (environment variable VOUCHERSWITCH_WORKERS): '65' is out of bounds; set 1 to 64",
        ),
        (
            "VOUCHERSWITCH_LOG_FORMAT",
            "xml\nand more",
            "log_format (environment variable VOUCHERSWITCH_LOG_FORMAT): 'xml\\nand more' is not allowed; "
            "set `console` or `json`",
        ),
        (
            "VOUCHERSWITCH_ENVIROMENT",
            "production",
            "environment (environment variable VOUCHERSWITCH_ENVIROMENT): there is no such setting; "
            "set VOUCHERSWITCH_ENVIRONMENT",
        ),
        (
            "VOUCHERSWITCH_DATABASE_URL",
            "postgresql://h/db",
            "database_url (environment variable VOUCHERSWITCH_DATABASE_URL): there is no such setting; "
            "set DATABASE_URL",
        ),
        (
            "DATABASE_URL",
            "mysql://u:secret@h/db",
            "database_url (environment variable DATABASE_URL): the value is not the URL of a PostgreSQL database; "
            "set `postgresql://user:password@host:port/name`",
        ),
    ],
)
def test_a_wrong_variable_is_refused_in_one_line(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, message: str
) -> None:
    """The line says which setting, from where, what is wrong, and what to set; it never shows a password."""
    monkeypatch.setenv(variable, value)
    assert refusal() == message


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("worker = 2", "worker (file voucherswitch.toml): there is no such setting; did you mean workers?"),
        ("[interface]\nport = 1", "interface (file voucherswitch.toml): there is no such setting; "),
        ("workers = true", "workers (file voucherswitch.toml): True is not a whole number; set 1 to 64"),
        ("workers = 1.5", "workers (file voucherswitch.toml): 1.5 is not a whole number; set 1 to 64"),
        ("workers = ", "settings file (working directory): 'voucherswitch.toml' is not TOML: Invalid value (at end of"),
    ],
)
def test_a_wrong_file_is_refused_in_one_line(content: str, message: str) -> None:
    Path("voucherswitch.toml").write_text(content)
    assert refusal().startswith(message)


def test_a_named_file_must_be_there(monkeypatch: pytest.MonkeyPatch) -> None:
    """The one in the working directory need not."""
    monkeypatch.setenv("VOUCHERSWITCH_CONFIG", "/no/such/file")
    assert refusal() == (
        "settings file (environment variable VOUCHERSWITCH_CONFIG): '/no/such/file' cannot be read: No such file or "
        "directory; name a readable TOML file"
    )


def test_an_unknown_argument_is_refused() -> None:
    assert refusal(speed=1) == "speed (argument): there is no such setting; take it out"


def test_what_kubernetes_sets_is_not_taken_for_a_slip(monkeypatch: pytest.MonkeyPatch) -> None:
    """For services named voucherswitch and voucherswitch-console."""
    for name in ("SERVICE_HOST", "SERVICE_PORT", "PORT", "PORT_8080_TCP", "PORT_8080_TCP_ADDR"):
        monkeypatch.setenv(f"VOUCHERSWITCH_{name}", "10.0.0.1")
    for name in ("SERVICE_HOST", "SERVICE_PORT", "PORT_8081_TCP", "PORT_8081_TCP_ADDR", "PORT_8081_TCP_PROTO"):
        monkeypatch.setenv(f"VOUCHERSWITCH_CONSOLE_{name}", "10.0.0.1")
    Settings()


@pytest.mark.parametrize("name", ["interface_host", "console_host"])
@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.1", "switch.example"])
@pytest.mark.parametrize("environment", ["sandbox", "production"])
def test_plain_http_stays_on_this_machine(nothing_set: Path, name: str, host: str, environment: str) -> None:
    """In both environments: without TLS edges, and for the console without operators' certificates."""
    key = nothing_set / "key"
    key.touch()
    message = refusal(environment=environment, vault_key_file=key, **{name: host})
    assert message.startswith(f"{name} (argument): '{host}' would ")


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.9.1", "::1", "localhost"])
def test_loopback_is_this_machine(host: str) -> None:
    Settings(interface_host=host, console_host=host)


def test_production_needs_its_vault_key_and_refuses_simulators(nothing_set: Path) -> None:
    assert "production makes no key of its own" in refusal(environment="production")
    key = nothing_set / "key"
    key.touch()
    settings = Settings(environment="production", vault_key_file=key)
    with pytest.raises(SettingsError, match="simulators are refused in production"):
        settings.require_sandbox("simulators")
    Settings().require_sandbox("simulators")


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"interface_port": 9000, "console_port": 9000}, "console_port (argument): 9000 is interface_port as well"),
        (
            {"saf_backoff_initial_ms": 200, "saf_backoff_max_ms": 100},
            "200 is more than saf_backoff_max_ms; set at most 100",
        ),
        ({"workers": 32, "journal_connections": 9}, "would open 288 connections, the embedded database takes 260"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(values: dict[str, object], said: str) -> None:
    assert said in refusal(**values)


@pytest.mark.parametrize(
    "name", ["token_issuer", "oauth_issuer", "oauth_jwks_url", "console_oidc_issuer", "console_oidc_redirect_url"]
)
def test_what_carries_keys_or_passwords_is_https_or_on_this_machine(name: str) -> None:
    """The client secret and the codes of a single sign-on among them."""
    whole = {
        "oauth_issuer": "https://issuer.example",
        "oauth_jwks_url": "https://issuer.example/keys",
        "console_oidc_issuer": "https://idp.example",
        "console_oidc_client_id": "console",
        "console_oidc_client_secret": "secret",
        "console_oidc_redirect_url": "https://console.example/signin/oidc/callback",
    }
    Settings(**whole)
    Settings(**whole | {name: "http://127.0.0.1:9000/x"})
    assert refusal(**whole | {name: "http://idp.example/x"}).startswith(f"{name} (argument): 'http://idp.example/x' ")


def test_a_database_of_ones_own_takes_any_number_of_connections() -> None:
    Settings(workers=64, journal_connections=64, database_url="postgresql://h/db")


def test_every_variable_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each default, given as a variable, is accepted and changes nothing."""
    defaults = Settings()
    for name, value in defaults:
        if value is not None:
            monkeypatch.setenv(env_name(name), ",".join(value) if isinstance(value, tuple) else str(value))
    assert Settings() == defaults


# What log_level and log_format do (monitoring/logs.py).

LOGGING = """
import logging, sys, structlog
from voucherswitch.monitoring.logs import configure
configure("info", sys.argv[1])
log = structlog.get_logger("ours")
log.debug("not shown")
log.info("issued", pin="1234", headers={"X-Api-Key": "1234"}, amount_cents=500)
logging.getLogger("uvicorn.error").warning("started on %s with Bearer 1234", 8080)
logging.getLogger("asyncpg").warning("slow", extra={"password": "1234"})
try:
    secret = "12" + "34"
    raise ValueError("postgresql://u:1234@h/db")
except ValueError:
    log.exception("failed")
configure("info", sys.argv[1])
log.info("once", text="a\\nb")
"""


def logged(log_format: str) -> list[str]:
    run = subprocess.run([sys.executable, "-c", LOGGING, log_format], capture_output=True, text=True, check=True)
    assert run.stdout == ""
    assert "1234" not in run.stderr
    assert "not shown" not in run.stderr
    return run.stderr.splitlines()


def test_json_logs_are_one_object_a_line_in_utc() -> None:
    """Ours and the libraries' alike, tracebacks included."""
    events = [json.loads(line) for line in logged("json")]
    assert [(event["logger"], event["level"], event["event"]) for event in events] == [
        ("ours", "info", "issued"),
        ("uvicorn.error", "warning", f"started on 8080 with Bearer {MASK}"),
        ("asyncpg", "warning", "slow"),
        ("ours", "error", "failed"),
        ("ours", "info", "once"),
    ]
    assert all(event["timestamp"].endswith("Z") for event in events)
    assert events[0]["amount_cents"] == 500
    assert events[3]["exception"].endswith(f"ValueError: postgresql://u:{MASK}@h/db")


def test_console_logs_are_lines_for_a_person() -> None:
    """A line break in a value cannot fake a line of its own."""
    lines = logged("console")
    assert "issued" in lines[0]
    assert f"pin={MASK}" in lines[0]
    assert lines[-1].endswith("text=a\\nb")


@pytest.mark.parametrize(
    "key",
    [
        *("pin", "PIN", "voucher_pin", "code", "voucherCode", "voucher_code", "password", "basicPassword", "X-Api-Key"),
        *("apikey", "api_key", "Authorization", "Proxy-Authorization", "accessToken", "client_secret", "vault_key"),
    ],
)
def test_secret_keys_are_known_however_they_are_written(key: str) -> None:
    assert is_secret(key)


@pytest.mark.parametrize("key", ["result_code", "status_code", "providerCode", "spinning", "idempotency_key", "lane"])
def test_keys_that_operators_need_are_not_masked(key: str) -> None:
    assert not is_secret(key)


def test_masking_reaches_into_what_is_logged() -> None:
    """Our own structs, lists, deep nests; bytes are only counted."""
    nest: dict[str, object] = {"pin": "1234"}
    for _ in range(30):
        nest = {"deeper": nest}
    event = {
        "event": "issued",
        "voucher": Voucher(code="1234", pin="1234", serial_number="S1"),
        "list": [{"code": "1234"}],
        "body": b"1234",
        "nest": nest,
        "error": RuntimeError("postgresql://u:1234@h"),
        "pins": ["1234"],
        "code": None,
    }
    masked = mask_secrets(logging.getLogger(), "info", event)
    assert "1234" not in repr(masked)
    assert masked["voucher"]["serial_number"] == "S1"
    assert masked["body"] == "<4 bytes>"
    assert masked["code"] is None
