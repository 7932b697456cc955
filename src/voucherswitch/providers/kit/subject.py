"""What is tried: a provider's profile and what builds its connector. Found by the registry, or made by a test."""

from functools import partial

from msgspec import Struct

from voucherswitch.providers import registry
from voucherswitch.providers.contract.capabilities import Capabilities
from voucherswitch.providers.contract.kit import KitProfile
from voucherswitch.providers.kit.stand import Connect


class Subject(Struct, frozen=True):
    """One provider. `record` is its capability record before settings change it."""

    name: str
    profile: KitProfile
    record: Capabilities
    connect: Connect


class NoKitError(Exception):
    """A provider cannot be tried. The text says what is missing."""


def subject(name: str) -> Subject:
    """A provider of this switch.

    Raises:
        NoKitError: there is none of that name, or its folder has no `kit.py`, or one that cannot be used.
    """
    if name not in registry.names():
        raise NoKitError(f"there is no provider {name!r}; there are {', '.join(registry.names())}")
    try:
        profile, record = registry.kit_profile(name), registry.capabilities(name)
    except ModuleNotFoundError as error:
        if error.name is not None and error.name.endswith(f".{name}.kit"):
            raise NoKitError(f"provider {name} has no kit.py yet; see docs/howto/add-a-provider.md") from None
        raise NoKitError(_unusable(name, error)) from error
    except Exception as error:  # whatever a folder that is still being written trips over
        raise NoKitError(_unusable(name, error)) from error
    return Subject(name, profile, record, partial(registry.build, name, sandbox=True))  # its simulator is here


def subjects() -> tuple[Subject, ...]:
    """Every provider of this switch that can be tried."""
    found = []
    for name in registry.names():
        try:
            found.append(subject(name))
        except NoKitError:
            continue
    return tuple(found)


def _unusable(name: str, error: Exception) -> str:
    return f"provider {name} cannot be tried: {type(error).__name__}: {error}"
