"""The published reference of all providers, made from their capability records and settings.

Write it with: python -m voucherswitch.providers.reference > docs/reference/providers.md
"""

import re
import sys
from collections.abc import Iterator
from typing import Any, Final, get_type_hints

import msgspec
from msgspec import NODEFAULT

from voucherswitch.providers import registry
from voucherswitch.providers.contract.capabilities import Capabilities, Support
from voucherswitch.providers.contract.settings import CommonSettings, ProviderSettings, metas

_HEAD: Final = """\
# Providers

Made from the providers' capability records and settings by `python -m voucherswitch.providers.reference`; change those.

What a provider supports is data: retries, advices, lookups, tenders and routing follow it, and so does this page. A
provider's settings may change single values (`capabilities`), where a contract says otherwise.

Protocols are **Documented** where public pages or several unrelated clients show them, and **Proposed** where nothing
public exists and the project designed one: a proposed protocol is never the provider's real one. Each folder's README
tells which parts are which. `voucherswitch provider check NAME` tries a connector against its simulator or, with
`--against`, against a sandbox of the provider.

| Sign | Meaning |
|---|---|
| N | native: the provider has the message |
| E | emulated: the connector answers it with other messages |
| C | consumed: acknowledged and kept, nothing is sent; a consumed reversal is listed as money at risk |
| L | local: answered from our catalogue |
| - | not supported: declined FUNCTION_NOT_SUPPORTED |
"""
_ATTRIBUTE: Final = re.compile(r"^ {8}([a-z_]+(?:, [a-z_]+)*): (.+(?:\n {12}.+)*)", re.MULTILINE)
_SIGNS: Final = {
    Support.NATIVE: "N", Support.EMULATED: "E", Support.CONSUME: "C", Support.LOCAL: "L", Support.NONE: "-",
}  # fmt: skip
_COLUMNS: Final = (
    ("provision", "provision"), ("retry", "retry"), ("status", "status"), ("confirm", "confirm"),
    ("reverse", "reverse"), ("lookup", "lookup"), ("redeem", "redeem"), ("confirm_redeem", "confirm redeem"),
    ("reverse_redeem", "reverse redeem"), ("refund", "refund"), ("products", "products"),
)  # fmt: skip
_COMMON_HEAD: Final = """
## Settings of every provider

Set with `voucherswitch provider set ID KEY=VALUE`; secrets with `--secret KEY`, which are sealed with the vault key.
Changes are in force within two seconds. A provider with missing or wrong settings fails its own requests with the
reason, which `voucherswitch provider list` shows too; the others are untouched.
"""


def render() -> str:
    """The reference page, Markdown."""
    return "\n".join([_HEAD, *_matrix(), _COMMON_HEAD, *_settings(ProviderSettings, ()), *_providers()]) + "\n"


def _matrix() -> Iterator[str]:
    yield "| Provider | " + " | ".join(title for _, title in _COLUMNS) + " | tender first |"
    yield "|---" * (len(_COLUMNS) + 2) + "|"
    for name in registry.names():
        can = registry.capabilities(name)
        cells = [_SIGNS[getattr(can, field)] for field, _ in _COLUMNS]
        yield f"| {name} | " + " | ".join(cells) + f" | {_tender(can)} |"


def _tender(can: Capabilities) -> str:
    if not can.tender_first:
        return "no"
    return "exact" if can.tender_exact else "yes"


def _providers() -> Iterator[str]:
    for name in registry.names():
        profile = registry.kit_profile(name)
        port = registry.simulator_port(name)
        yield f"\n## {name}\n"
        yield f"{registry.summary(name)}\n"
        yield f"**{profile.labelled}.** {profile.evidence} Its simulator listens on port {port}.\n"
        yield from _settings(registry.settings_type(name), CommonSettings.__struct_fields__)


def _settings(kind: type[CommonSettings], leave_out: tuple[str, ...]) -> Iterator[str]:
    """A table of settings; `leave_out` are those of every provider, shown only where the default is another."""
    hints = get_type_hints(kind, include_extras=True)
    common = {field.name: _default(field) for field in msgspec.structs.fields(ProviderSettings)}
    purposes = _purposes(kind)
    yield "| Setting | Default | Value | What for |"
    yield "|---|---|---|---|"
    for field in sorted(msgspec.structs.fields(kind), key=lambda one: not one.required):
        if field.name in leave_out and common.get(field.name) == _default(field):
            continue
        what, secret = _description(hints[field.name])
        shown = f"{what}{'; a secret' if secret else ''} | {purposes.get(field.name, '')}".rstrip()
        yield f"| `{field.name}` | {_default(field)} | {shown} |"


def _purposes(kind: type[CommonSettings]) -> dict[str, str]:
    """What each setting is for, from the attributes that the docstrings of its type and of those above it list."""
    found: dict[str, str] = {}
    for above in reversed(kind.__mro__):
        for names, text in _ATTRIBUTE.findall(vars(above).get("__doc__") or ""):
            purpose = " ".join(text.split()).replace("|", "\\|")
            found |= {name.strip(): purpose for name in names.split(",")}
    return found


def _default(field: Any) -> str:
    if field.required:
        return "needed"
    value = field.default if field.default is not NODEFAULT else field.default_factory()
    if isinstance(value, msgspec.Struct) or value in ({}, None, (), ""):
        return "none"
    if isinstance(value, tuple):
        text = ", ".join(value)
    else:
        text = str(value).lower() if isinstance(value, bool) else str(value)
    return f"`{text}`".replace("|", "\\|")


def _description(hint: Any) -> tuple[str, bool]:
    """What a setting must be, and whether it is a secret: written beside its type."""
    beside = list(metas(hint))
    text = next((meta.description for meta in beside if meta.description), None)
    secret = any((meta.extra or {}).get("secret") for meta in beside)
    return (text or _kind(hint)).replace("|", "\\|"), secret


def _kind(hint: Any) -> str:
    return {bool: "true or false", int: "a whole number", str: "text"}.get(hint, "see the folder's README")


if __name__ == "__main__":
    sys.stdout.write(render())
