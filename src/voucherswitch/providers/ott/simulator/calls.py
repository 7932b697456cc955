"""OTT's calls as it reads them: who sends, whether the hash holds, which parameters each has (providers.md 6.1, 6.2).

The hash is computed here anew and not by signing.py, so that a mistake in one of the two is found by the other.
"""

import re
from base64 import b64encode
from collections.abc import Mapping
from hashlib import sha256
from typing import Final
from urllib.parse import parse_qsl

from msgspec import Struct

from voucherswitch.providers.contract.simulator.wires import Request

API_USER: Final = "sim-api-user"
API_PASSWORD: Final = "example-ott-password"  # noqa: S105 (invented, and only this simulator takes it)
FIRST_KEY: Final = "EXAMPLE-KEY-0001"
VENDOR_CODE: Final = "11"
VENDOR_ID: Final = "22"

AUTHORIZATION: Final = b"Basic " + b64encode(f"{API_USER}:{API_PASSWORD}".encode())
FORM_TYPE: Final = b"application/x-www-form-urlencoded"
PARAMETERS_MAX: Final = 20

_ISSUING: Final = "/api/reseller/v1/"
_REDEMPTION: Final = "/api/v1/"
_TEXT: Final = re.compile(r".{1,50}")
_AMOUNT: Final = re.compile(r"[0-9]{1,9}\.[0-9]{2}")
_MOBILE: Final = re.compile(r"[0-9]{11}")
_FORMS: Final = {"value": _AMOUNT, "amount": _AMOUNT, "mobile": _MOBILE, "mobileForSMS": _MOBILE}


class OttCall(Struct, frozen=True):
    """One call. `op` is the capability that it serves; OTT's own name where it serves none."""

    op: str
    wire_op: str
    required: frozenset[str]
    optional: frozenset[str] = frozenset()

    def takes(self, form: Mapping[str, str]) -> bool:
        """Whether these, without the hash, are exactly its parameters in their forms; none is empty."""
        names = form.keys()
        if not self.required <= names or not names <= self.required | self.optional:
            return False
        return all(_FORMS.get(name, _TEXT).fullmatch(value) for name, value in form.items())


def _call(op: str, wire_op: str, *required: str, optional: tuple[str, ...] = ()) -> OttCall:
    return OttCall(op, wire_op, frozenset(required), frozenset(optional))


CALLS: Final[Mapping[str, OttCall]] = {
    f"{side}{call.wire_op}": call
    for side, calls in (
        (
            _ISSUING,
            (
                _call(
                    *("provision", "GetVoucher"),
                    *("branch", "cashier", "uniqueReference", "value", "vendorCode"),
                    optional=("till", "mobileForSMS"),
                ),
                _call("status", "CheckVoucher", "uniqueReference"),
                _call("confirm", "ConfirmVoucher", "uniqueReference"),
                _call("reverse", "RejectVoucher", "uniqueReference"),
                _call("GetBalance", "GetBalance", "uniqueReference"),
                _call("GetAPIKey", "GetAPIKey", "uniqueReference"),
            ),
        ),
        (
            _REDEMPTION,
            (
                _call("lookup", "CheckVoucher", "vendorID", "voucherPIN"),
                _call(
                    *("redeem", "RemitVoucher"),
                    *("pin", "uniqueReference", "vendorID", "amount"),
                    optional=("mobile", "clientID"),
                ),
                _call("redeemStatus", "CheckRemitVoucher", "uniqueReference"),
            ),
        ),
    )
    for call in calls
}
NAMES: Final = frozenset(name for call in CALLS.values() for name in (call.op, call.wire_op))


def read_form(request: Request) -> dict[str, str] | None:
    """The parameters, each once; None: the body is no such form."""
    if request.header(b"content-type") != FORM_TYPE:
        return None
    try:
        pairs = parse_qsl(
            request.body.decode("ascii"),
            keep_blank_values=True,
            strict_parsing=True,
            errors="strict",
            max_num_fields=PARAMETERS_MAX,
        )
    except ValueError:
        return None
    form = dict(pairs)
    return form if len(form) == len(pairs) else None


def hash_holds(form: Mapping[str, str], key: str) -> bool:
    """Whether `hash` is that of the other parameters under our key."""
    digest = sha256(key.encode())
    for name in sorted(form):
        if name != "hash":
            digest.update(form[name].encode())
    return form.get("hash") == digest.hexdigest()
