"""Provider settings: every refusal is one line that names the key and what to set, and never quotes a value."""

import pytest

from voucherswitch.message.codes import ErrorType
from voucherswitch.providers.contract.capabilities import Capabilities, Support
from voucherswitch.providers.contract.connector import ProviderSettingsError
from voucherswitch.providers.contract.families import Family, Meaning
from voucherswitch.providers.contract.settings import override_capabilities, read_settings
from voucherswitch.providers.registry import build, capabilities
from voucherswitch.providers.sandbox.capabilities import CAPABILITIES
from voucherswitch.providers.sandbox.settings import SandboxSettings

GOOD = {"base_url": "http://127.0.0.1:9111", "api_key": "example-secret"}


def read(**changes: object) -> SandboxSettings:
    wanted = {key: value for key, value in (GOOD | changes).items() if value is not ...}
    return read_settings(SandboxSettings, "sandbox", wanted)


def test_defaults_are_those_of_the_section() -> None:
    settings = read()
    assert (settings.connect_timeout_ms, settings.read_timeout_ms, settings.total_timeout_ms) == (3_000, 12_000, 15_000)
    assert (settings.settle_ms, settings.max_response_bytes, settings.base_path) == (30_000, 65_536, "/sandbox/v1")
    assert settings.tls.verify


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"base_url": ...}, r"base_url is missing; set it to scheme, host and port"),
        ({"api_key": ...}, r"api_key is missing; set it to the credential that the provider gave us"),
        ({"api_key": "a\r\nb"}, r"api_key: .*; set it to the credential"),
        ({"base_url": "127.0.0.1:9111"}, r"base_url is not an http or https URL"),
        ({"base_url": "http://127.0.0.1:port"}, r"base_url is not a URL"),
        ({"base_url": "http://127.0.0.1:9111/"}, r"base_url has more than scheme, host and port"),
        ({"base_url": "https://user:example@host"}, r"base_url has more than scheme, host and port"),
        (
            {"base_url": "http://10.0.0.1:80"},
            r"base_url is a private address, in no network of all",
        ),
        (
            {"base_url": "http://provider.example"},
            r"base_url is without TLS to another machine",
        ),
        ({"base_url": "https://provider.example", "tls": {"verify": False}}, r"tls\.verify is false for another mach"),
        ({"tls": {"verify": "no"}}, r"tls\.verify: expected bool, got str; set it to true; false is for loopback only"),
        ({"tls": {"cafile": "x"}}, r"tls\.cafile is not a setting; .* ca_file, verify, client_cert, client_key, pins"),
        ({"read_timeout": 5}, r"read_timeout is not a setting; remove it or set one of connect_timeout_ms"),
        ({"read_timeout_ms": "5"}, r"read_timeout_ms: expected int, got str; set it to a whole number of millisec"),
        ({"read_timeout_ms": 0}, r"read_timeout_ms: expected int >= 1; set it to"),
        ({"max_response_bytes": 0}, r"max_response_bytes: expected int >= 1"),
        ({"pin_pattern": "["}, r"pin_pattern is not a regular expression; set it to"),
        ({"base_path": "/x/"}, r"base_path: .*; set it to a path without trailing slash"),
        ({"outlet_map": {"m": 1}}, r"outlet_map: expected str, got int"),
        ({"code_map": {"912": ["Approved", "LIMIT_EXCEEDED"]}}, r"code_map.*: is not an allowed word; set it to prov"),
        ({"code_map": {"912": ["Declined", "NO"]}}, r"code_map.*: is not an allowed word"),
        ({"code_map": {"912": ["Declined"]}}, r"code_map: expected array of length 2, got 1"),
        ({"recon": {"expected_at": "25:00"}}, r"recon\.expected_at: .*; set it to a time of day in SAST"),
    ],
)
def test_a_wrong_setting_is_refused_in_one_line(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ProviderSettingsError, match=r"^providers\.sandbox\." + message) as refusal:
        read(**changes)
    assert "\n" not in str(refusal.value)
    assert "example" not in str(refusal.value).replace("provider.example", "")


@pytest.mark.parametrize("host", ["127.0.0.1:1", "127.9.9.9", "localhost:9", "[::1]:80"])
def test_plain_http_and_unchecked_certificates_are_for_loopback(host: str) -> None:
    assert read(base_url=f"http://{host}").base_url == f"http://{host}"
    assert not read(base_url=f"https://{host}", tls={"verify": False}).tls.verify


def test_settings_do_not_show_their_secrets() -> None:
    assert "example-secret" not in repr(read())
    assert "example-secret" not in str(read())


def test_a_terminals_outlet_wins_over_its_merchants_and_both_over_the_default() -> None:
    settings = read(outlet_map={"m1": "S001", "t1": "S002"})
    assert settings.store_code("m1", "t1") == "S002"
    assert settings.store_code("m1", "t2") == "S001"
    assert settings.store_code("m2", "t2") is None
    assert read(default_outlet="S003", outlet_map={"m1": "S001"}).store_code("m2", "t2") == "S003"


def test_a_code_map_becomes_lines_of_a_table() -> None:
    assert read(code_map={"912": ["Declined", "LIMIT_EXCEEDED"]}).code_meanings() == {
        "912": Meaning(Family.DECLINED, ErrorType.LIMIT_EXCEEDED)
    }


def test_capabilities_can_be_overridden_one_by_one() -> None:
    changed = override_capabilities(
        CAPABILITIES,
        "sandbox",
        {"reverseRedeem": "consume", "refund": "none", "tenderFirst": "yes", "partialRedeem": False},
    )
    assert changed.reverse_redeem is Support.CONSUME
    assert changed.refund is Support.NONE
    assert changed.tender_first
    assert not changed.partial_redeem
    assert changed.provision is Support.NATIVE
    assert CAPABILITIES.reverse_redeem is Support.NATIVE


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ({"reverse_redeem": "none"}, r"capabilities\.reverse_redeem is not a capability; set it to one of provision"),
        ({"refund": "sometimes"}, r"capabilities\.refund is not a way to serve; set it to one of native, emulated"),
        ({"refund": True}, r"capabilities\.refund is not a way to serve"),
        ({"tenderFirst": "native"}, r"capabilities\.tenderFirst is not yes or no"),
    ],
)
def test_a_wrong_override_is_refused_in_one_line(overrides: dict[str, str | bool], message: str) -> None:
    with pytest.raises(ProviderSettingsError, match=message):
        override_capabilities(CAPABILITIES, "sandbox", overrides)


async def test_the_registry_builds_by_name_and_names_what_it_knows() -> None:
    connector = build("sandbox", "sandbox-2", GOOD | {"capabilities": {"refund": "none"}}, sandbox=True)
    assert connector.capabilities.refund is Support.NONE
    await connector.close()
    with pytest.raises(ProviderSettingsError, match=r"providers\.p: there is no connector 'acme'; .*sandbox"):
        build("acme", "p", GOOD, sandbox=True)
    with pytest.raises(ProviderSettingsError, match=r"providers\.p\.api_key is missing"):
        build("sandbox", "p", {"base_url": "http://127.0.0.1:1"}, sandbox=True)


def test_the_registry_has_the_capability_record_of_each_connector() -> None:
    record = capabilities("sandbox")
    assert isinstance(record, Capabilities)
    natives = [name for name in record.__struct_fields__ if getattr(record, name) is Support.NATIVE]
    assert len(natives) == 15
    assert (record.client_chosen_code, record.partial_redeem, record.tender_first) == (True, True, False)


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("http://127.0.0.1:8081", "is a loopback address, in no network of allowed_networks"),
        ("https://localhost:8081", "is a loopback address, in no network of allowed_networks"),
        ("https://10.0.0.5", "is a private address, in no network of allowed_networks"),
        ("https://[::ffff:192.168.0.1]:443", "is a private address, in no network of allowed_networks"),
        ("https://169.254.169.254", "is where a cloud keeps a machine's credentials, and is never allowed"),
        ("https://[fd00:ec2::254]", "is where a cloud keeps a machine's credentials, and is never allowed"),
        ("https://0.0.0.0:5432", "is no machine's address, and is never allowed"),
        ("https://2130706433", "is neither a name nor an address as it is usually written"),
        ("https://0x7f.1", "is neither a name nor an address as it is usually written"),
        ("https://provider.example\n.evil.example", "has more than scheme, host and port"),
        ("https://provider.example%0a.evil.example", "is neither a name nor an address as it is usually written"),
        ("http://provider.example", "is without TLS to another machine"),
        ("https://user:example-pass@provider.example", "has more than scheme, host and port"),
        ("https://@provider.example", "has more than scheme, host and port"),
        ("https://provider.example/../admin", "has more than scheme, host and port"),
        ("https://provider.example?x", "has more than scheme, host and port"),
        ("https://provider.example#x", "has more than scheme, host and port"),
        ("HTTPS://provider.example", "has more than scheme, host and port"),
        ("file:///etc/passwd", "is not an http or https URL"),
        ("gopher://127.0.0.1:6379", "is not an http or https URL"),
        ("https://", "is not an http or https URL"),
        ("https://provider.example:0", "is not an http or https URL"),
        ("https://provider.example:65536", "is not a URL"),
    ],
)
def test_an_address_inside_is_not_taken_in_production(url: str, why: str) -> None:
    """`registry.build` is what every way in asks: the command line, the console, and a process that starts."""
    with pytest.raises(ProviderSettingsError) as refusal:
        build("sandbox", "p", {"base_url": url, "api_key": "example-secret"}, sandbox=False)
    assert str(refusal.value).startswith(f"providers.p.base_url {why}; set it to ")
    assert "example-pass" not in str(refusal.value)


@pytest.mark.parametrize(
    ("settings", "refused"),
    [
        ({"base_url": "https://10.8.0.7"}, None),
        ({"base_url": "https://10.8.1.7"}, "base_url is a private address"),
        ({"base_url": "http://10.8.0.7"}, "base_url is without TLS to another machine"),
        ({"base_url": "http://10.8.0.7", "cleartext": True}, None),
        ({"base_url": "http://provider.example", "cleartext": True}, None),  # judged when it is looked up
        ({"base_url": "http://196.25.1.1", "cleartext": True}, "base_url is without TLS outside allowed_networks"),
        (
            {"base_url": "http://10.8.0.7", "cleartext": True, "proxy_url": "http://10.8.0.1:3128"},
            "proxy_url needs TLS",
        ),
        ({"base_url": "https://127.0.0.1"}, "base_url is a loopback address"),
    ],
)
async def test_a_network_that_is_named_lets_a_provider_behind_a_vpn_in(
    settings: dict[str, object], refused: str | None
) -> None:
    given = {"api_key": "k", "allowed_networks": ["10.8.0.0/24"]} | settings
    if refused is None:
        await build("sandbox", "p", given, sandbox=False).close()
        return
    with pytest.raises(ProviderSettingsError, match=rf"^providers\.p\.{refused}"):
        build("sandbox", "p", given, sandbox=False)
