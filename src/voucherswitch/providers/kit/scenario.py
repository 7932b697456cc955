"""What a scenario is: a name, a sentence, when it applies, and a check that says what it expected and what it saw."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, TypeAlias

from msgspec import Struct

from voucherswitch.message.outcomes import (
    Acknowledged,
    AdviceResult,
    Approved,
    Outcome,
    Pending,
    Refused,
)
from voucherswitch.providers.contract.capabilities import Capabilities, Support
from voucherswitch.providers.contract.kit import KitProfile

if TYPE_CHECKING:
    from voucherswitch.providers.kit.stand import Stand

# Returns why a scenario does not apply to a provider; None: it does.
Needs: TypeAlias = Callable[[KitProfile, Capabilities], str | None]
Check: TypeAlias = Callable[["Stand"], Awaitable[str]]


class Mismatch(Exception):  # noqa: N818 (a finding about the connector, not a fault of the kit)
    """A connector did not do what the contract asks. The text says what was expected and what was seen."""


class Scenario(Struct, frozen=True):
    """One scenario.

    Attributes:
        name: what `--only` takes.
        number: its check in Part D of the providers' specification.
        title: what the contract asks, one sentence.
        check: tries it; returns what was seen, or raises `Mismatch`.
        needs: when it applies.
        live: it needs no simulator, so it also runs against a provider's own sandbox.
    """

    name: str
    number: int
    title: str
    check: Check
    needs: Needs
    live: bool = False

    def skipped(self, profile: KitProfile, record: Capabilities, *, live: bool) -> str | None:
        """Why the scenario does not run; None: it does."""
        for pattern, reason in profile.not_applicable.items():
            if pattern == self.name or (pattern.endswith("*") and self.name.startswith(pattern[:-1])):
                return reason
        if live and not self.live:
            return "it needs the simulator"
        return self.needs(profile, record)


def always(_profile: KitProfile, _record: Capabilities) -> str | None:
    """The needs of a scenario that every provider is subject to."""
    return None


def scenario(
    name: str, number: int, *, needs: Needs = always, live: bool = False, title: str | None = None
) -> Callable[[Check], Scenario]:
    """Make a scenario of a check; its title is the check's docstring unless one is given."""

    def made(check: Check) -> Scenario:
        return Scenario(name, number, title or (check.__doc__ or "").strip(), check, needs, live)

    return made


def sends(*capabilities: str) -> Needs:
    """The record must have each of these served by messages; names as the record writes them."""

    def needs(_profile: KitProfile, record: Capabilities) -> str | None:
        return next((_record_says(record, name) for name in capabilities if not support(record, name).sends), None)

    return needs


def any_advice(profile: KitProfile, record: Capabilities) -> str | None:
    """The record must have a confirmation or reversal of a sale that is sent."""
    confirm, reverse = sends("confirm")(profile, record), sends("reverse")(profile, record)
    return confirm and reverse and "the record has no advice that is sent"


def support(record: Capabilities, capability: str) -> Support:
    """How the record serves an operation, by its name there: `confirmRedeem`."""
    found: Support = getattr(record, snake(capability))
    return found


def snake(capability: str) -> str:
    """A capability's name as a Python attribute, which is also the connector's method: `confirm_redeem`."""
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in capability)


def _record_says(record: Capabilities, capability: str) -> str:
    return f"the record says {capability}={support(record, capability).value}"


def expect(holds: bool, expected: str, seen: object) -> None:
    """Raise `Mismatch` unless a check holds.

    Args:
        expected: what the contract asks, in words.
        seen: what came instead; an outcome, or words.
    """
    if not holds:
        raise mismatch(expected, seen)


def mismatch(expected: str, seen: object) -> Mismatch:
    """The finding that something else came than the contract asks."""
    return Mismatch(f"expected {expected}; seen: {words(seen)}")


def words(seen: object) -> str:
    """An outcome in words, without the code or PIN it may hold."""
    match seen:
        case Approved():
            return f"Approved, {seen.approved_cents} cents"
        case Acknowledged():
            return "acknowledged"
        case Refused():
            return _with_details(f"refused ({seen.provider_code})", seen.provider_message, seen.alert)
        case Pending():
            return _with_details("pending", seen.cause, seen.alert)
        case _ if hasattr(seen, "error_type"):
            code = getattr(seen, "provider_code", None)
            text = f"{type(seen).__name__} {seen.error_type}" + (f" (code {code})" if code else "")
            return _with_details(text, getattr(seen, "provider_message", None), getattr(seen, "alert", None))
        case _:
            return str(seen)


def _with_details(text: str, message: str | None, alert: str | None) -> str:
    return text + (f": {message}" if message else "") + (f" [alert {alert}]" if alert else "")


def alert_of(outcome: Outcome | AdviceResult) -> str | None:
    """The alert of an outcome, whatever it is."""
    found: str | None = getattr(outcome, "alert", None)
    return found
