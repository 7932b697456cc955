"""The providers this switch knows: every folder beside this file that holds a connector (design §2).

Adding a provider is adding a folder. Each has the same file names, and in them the same names for what others need;
a folder is imported when its provider is first used.
"""

import pkgutil
from collections.abc import Callable, Mapping
from functools import cache
from importlib import import_module
from importlib.util import find_spec
from typing import Any, Final

from voucherswitch import providers
from voucherswitch.providers.contract.capabilities import Capabilities
from voucherswitch.providers.contract.connector import Connector, ProviderSettingsError
from voucherswitch.providers.contract.kit import KitProfile, Start
from voucherswitch.providers.contract.settings import CommonSettings
from voucherswitch.providers.contract.statements import Statement

_SHARED: Final = frozenset({"contract", "kit"})  # the folders that are no provider's


@cache
def names() -> tuple[str, ...]:
    """The names that a provider of the catalogue can give as its connector, in alphabetical order."""
    found = {module.name for module in pkgutil.iter_modules(providers.__path__) if module.ispkg} - _SHARED
    return tuple(sorted(name for name in found if find_spec(f"{providers.__name__}.{name}.connector") is not None))


def build(connector_name: str, provider_id: str, settings: Mapping[str, object], *, sandbox: bool) -> Connector:
    """Build the connector of one provider.

    Args:
        sandbox: providers may be on this machine, where the simulators are, without saying so in `allowed_networks`.

    Raises:
        ProviderSettingsError: no connector of that name, or settings it cannot work with; one line says what to set.
    """
    if connector_name not in names():
        raise ProviderSettingsError(
            f"providers.{provider_id}: there is no connector {connector_name!r}; set one of {', '.join(names())}"
        )
    if not sandbox:
        settings = {"allowed_networks": [], **settings}
    connector: Connector = _part(connector_name, "connector").connect(provider_id, settings)
    return connector


def capabilities(name: str) -> Capabilities:
    """A provider's capability record, before settings change it."""
    record: Capabilities = _part(name, "capabilities").CAPABILITIES
    return record


def settings_type(name: str) -> type[CommonSettings]:
    """The settings that a provider takes: the one such type that its folder defines."""
    module = _part(name, "settings")
    [found] = [
        kind
        for kind in vars(module).values()
        if isinstance(kind, type) and issubclass(kind, CommonSettings) and kind.__module__ == module.__name__
    ]
    return found


def summary(name: str) -> str:
    """What a provider is, in its folder's own sentence."""
    return (import_module(f"{providers.__name__}.{name}").__doc__ or "").strip()


def simulator(name: str) -> Start:
    """What starts a provider's simulator."""
    start: Start = _part(name, "simulator").start
    return start


def simulator_port(name: str) -> int:
    """The port that a provider's simulator has by default."""
    port: int = _part(name, "simulator").PORT
    return port


def statement_reader(name: str) -> Callable[[str, bytes], Statement]:
    """What reads a provider's files."""
    reader: Callable[[str, bytes], Statement] = _part(name, "statement").read_statement
    return reader


def kit_profile(name: str) -> KitProfile:
    """What the conformance kit must know of a provider."""
    profile: KitProfile = _part(name, "kit").PROFILE
    return profile


def _part(name: str, part: str) -> Any:
    return import_module(f"{providers.__name__}.{name}.{part}")
