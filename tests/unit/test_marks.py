"""Nobody forgets to say what may be seen of a field, of ours or of a provider's: a doubtful name has a mark."""

import ast
import importlib
import inspect
import logging
import pkgutil
from collections.abc import Iterator
from types import ModuleType
from typing import Annotated

import pytest
from msgspec import Struct

from voucherswitch.interface import models
from voucherswitch.interface.masking_reference import messages_of
from voucherswitch.message.marks import (
    MASKED,
    PROTOCOL_WORD,
    QUOTED,
    SEALED,
    Shown,
    declared_by,
    declared_in,
    plain,
    wire_fields,
    wire_of,
    without_codes,
)
from voucherswitch.message.orders import RedeemOrder
from voucherswitch.message.outcomes import Approved
from voucherswitch.message.parties import Store, Voucher
from voucherswitch.message.smells import is_personal, is_secret, is_telephone, smells
from voucherswitch.monitoring.logs import mask_secrets
from voucherswitch.providers import registry

PROVIDERS = registry.names()
# The functions by which messages without structs are written and read: their first text is, or names, a field.
NAMING = frozenset({"leaf", "optional", "_field", "text_of", "_text", "_number", "_cents", "get", "shown", "name"})


def modules_of(package: str) -> list[ModuleType]:
    """The modules of a package, not those of packages in it."""
    folder = importlib.import_module(package)
    return [importlib.import_module(f"{package}.{found.name}") for found in pkgutil.iter_modules(folder.__path__)]


@pytest.mark.parametrize(
    "model", [name for name in models.__all__ if hasattr(getattr(models, name), "__struct_fields__")]
)
def test_every_doubtful_field_of_the_interface_has_a_mark(model: str) -> None:
    fields = declared_by(getattr(models, model))
    assert [field.name for field in fields if field.doubtful and field.shown is None] == []


@pytest.mark.parametrize("provider", PROVIDERS)
def test_every_doubtful_field_of_a_provider_has_a_mark(provider: str) -> None:
    fields = [field for module in messages_of(provider) for field in declared_in(module)]
    assert fields
    assert [field.name for field in fields if field.doubtful and field.shown is None] == []


@pytest.mark.parametrize("provider", PROVIDERS)
def test_every_name_that_a_provider_without_structs_uses_is_declared(provider: str) -> None:
    """Elements are written and read by their names: one that is not declared would be shown by its name alone."""
    if not any("FIELDS" in vars(module) for module in messages_of(provider)):
        return
    declared = wire_of(*messages_of(provider))
    used = {
        name
        for module in modules_of(f"voucherswitch.providers.{provider}")
        if "trade" not in module.__name__ and module.__name__.endswith(("messages", "translate"))
        for name in names_used(module)
    }
    assert len(used) > 8
    assert {name for name in used if name.lower() not in declared} == set()


def names_used(module: ModuleType) -> Iterator[str]:
    """The texts given to the functions that write and read fields."""
    for call in ast.walk(ast.parse(inspect.getsource(module))):
        if isinstance(call, ast.Call) and getattr(call.func, "id", getattr(call.func, "attr", "")) in NAMING:
            texts = [given.value for given in call.args if isinstance(given, ast.Constant)]
            yield from (text for text in texts if isinstance(text, str) and text[:1].isupper())


def test_a_field_without_a_mark_is_found() -> None:
    """The search itself: it would find what somebody forgets."""
    module = ModuleType("messages")

    class Sale(Struct, rename="camel"):
        voucher_pin: str
        amount: int
        customer_name: Annotated[str, MASKED] | None = None
        holders: tuple[str, ...] = ()

    module.Sale = Sale  # type: ignore[attr-defined]
    module.FIELDS = wire_fields("Reference Msisdn", Pin=SEALED)  # type: ignore[attr-defined]
    found = {field.name: (field.shown, field.doubtful) for field in declared_in(module)}
    assert found == {
        "voucherPin": (None, True),
        "amount": (None, False),
        "customerName": (Shown.HIDDEN, True),
        "holders": (None, False),
        "Reference": (None, False),
        "Msisdn": (None, True),
        "Pin": (Shown.HIDDEN, True),
    }
    assert wire_of(module)["msisdn"] is wire_of(module)["voucherpin"] is Shown.HIDDEN


def test_of_a_name_declared_twice_the_stricter_mark_counts() -> None:
    """One without a mark counts as hidden where the name raises a doubt."""
    module = ModuleType("messages")
    module.ONE = wire_fields(code=SEALED, text=QUOTED, name=plain("a product's"))  # type: ignore[attr-defined]
    module.TWO = wire_fields("Text", code=PROTOCOL_WORD, name=MASKED)  # type: ignore[attr-defined]
    assert wire_of(module) == {"code": Shown.WORD, "text": Shown.HIDDEN, "name": Shown.HIDDEN}


@pytest.mark.parametrize(
    "name", ["VOUCHERPIN", "wicode", "wiCode", "Voucher-Number", "RedeemUrl", "X-Signature", "code"]
)
def test_secret_names_are_known(name: str) -> None:
    assert is_secret(name)


@pytest.mark.parametrize("name", ["spinning", "mapping", "responseCode", "shippingRef", "state", "idempotencyKey"])
def test_other_names_are_not_secret(name: str) -> None:
    assert not is_secret(name)


def test_persons_are_known() -> None:
    assert all(map(is_telephone, ("msisdn", "mobileForSMS", "phoneNumber", "cell_number")))
    assert all(map(is_personal, ("firstName", "email_address", "addressLine1", "dateOfBirth", "postalCode")))
    assert all(map(smells, ("name", "accountNumber", "message", "meterNumber", "responseCode", "cashier")))


@pytest.mark.parametrize("said", ["amount", "2 vouchers", "R500.00", "HTTP 404"])
def test_free_text_without_numbers_stays(said: str) -> None:
    assert without_codes(said) == said


def test_no_repr_shows_a_marked_field() -> None:
    """Whatever quotes an order, a voucher or a message in a log or an error."""
    voucher = Voucher(code="7712345678", pin="4711", serial_number="S1", instructions=("Dial 7712345678",))
    store = Store("MERCHANT", "TERMINAL", "Nosipho")
    order = RedeemOrder("R1", 100, "710", "7712345678", store, "4711", "+27825550143")
    message = models.Voucher(code="7712345678", serial_number="S1")
    shown = repr([voucher, order, Approved(100, voucher=voucher), message])
    assert [secret for secret in ("7712345678", "4711", "Nosipho", "27825550143") if secret in shown] == []
    assert all(text in shown for text in ("S1", "R1", "TERMINAL", "code=***", "expiry_date=None"))


def test_logs_obey_the_marks_and_know_persons() -> None:
    event = {"event": "sold", "store": Store("M", "T", "Nosipho"), "msisdn": "+27825550143", "customer_name": "N. S."}
    masked = mask_secrets(logging.getLogger(), "info", dict(event))
    assert masked == {
        "event": "sold",
        "store": {"merchant_id": "M", "terminal_id": "T", "operator_id": "***"},
        "msisdn": "***",
        "customer_name": "***",
    }
