"""Fuzzing from the published document: whatever is sent, no 5xx, and every answer is one that the document describes.

The requests come from /openapi.json, valid and invalid ones. Most valid ones are nudged towards what the switch knows
(its originator, products, codes and ids), because a random message is refused long before the rules. Amounts and codes
that would start one of the sandbox's scripted faults are not generated: a scripted silence is rightly answered 504.

The normal run is short and always the same. The long one:

    VOUCHERSWITCH_FUZZ_CASES=10000 .venv/bin/pytest tests/conformance/test_fuzzing.py --timeout 1800
"""

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import urlsplit

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.schemas import APIOperation, BaseSchema
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from support.client import BASE, read
from support.messages import MOBITALK, REMOVED, new_id, rand
from support.originators import FUZZ
from support.switch import Switch
from support.till import Till

CASES: Final = int(os.environ.get("VOUCHERSWITCH_FUZZ_CASES", "400"))
ALWAYS_THE_SAME: Final = "VOUCHERSWITCH_FUZZ_CASES" not in os.environ
CHECKS: Final = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
OPERATIONS: Final = [
    ("POST", "/vouchers"),
    ("POST", "/vouchers/{provisionId}/retry"),
    ("POST", "/vouchers/confirmations"),
    ("POST", "/vouchers/reversals"),
    ("GET", "/vouchers"),
    ("POST", "/redemptions"),
    ("POST", "/redemptions/confirmations"),
    ("POST", "/redemptions/reversals"),
    ("GET", "/redemptions/{requestId}"),
    ("POST", "/refunds"),
    ("POST", "/refunds/confirmations"),
    ("POST", "/refunds/reversals"),
    ("GET", "/products"),
]
UUID: Final = re.compile("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
CASES_EACH: Final = -(-CASES // len(OPERATIONS))


@dataclass(frozen=True)
class Known:
    """What the switch knows of the fuzzing originator: codes of vouchers in every state, and ids of their requests."""

    codes: list[str]
    serials: list[str]
    provisions: list[str]
    redemptions: list[str]
    refunds: list[str]


@pytest.fixture(scope="module")
async def known(switch: Switch) -> Known:
    """Vouchers in every state, most of them in those where a request can succeed."""
    till = Till(switch, FUZZ)
    counts = {
        till.a_provisioned: 5,
        till.a_confirmed: 25,
        till.a_redeemed: 5,
        till.a_used: 25,
        till.a_refunded: 5,
        till.a_returned: 5,
    }
    sales = [await step() for step, count in counts.items() for _ in range(count)]
    return Known(
        codes=[sale.code for sale in sales],
        serials=[sale.answer.body["voucher"]["serialNumber"] for sale in sales],
        provisions=[sale.id for sale in sales],
        redemptions=[sale.redemption_id for sale in sales if sale.redemption],
        refunds=[sale.refund_id for sale in sales if sale.refund],
    )


@pytest.fixture(scope="module")
def document(switch: Switch) -> BaseSchema:
    """The document as the switch publishes it."""
    published = requests.get(f"{switch.root}/openapi.json", timeout=10).json()
    return schemathesis.openapi.from_dict(published)


@pytest.fixture(scope="module")
def session() -> Iterator[requests.Session]:
    """One connection for all cases."""
    with requests.Session() as session:
        session.auth = (FUZZ.id, FUZZ.password)
        yield session


# Every hundred but those that start a script (R66, R166, ...), with all cents.
cents = st.integers(1, 9_999).filter(lambda hundreds: hundreds % 100 != 66).map(lambda hundreds: hundreds * 100)


def nudge(draw: st.DrawFn, case: Case[Any], method: str, path: str, known: Known) -> None:
    """Give parts of a request values that mean something, one time in ten none."""
    if draw(st.integers(0, 9)) == 9:
        return
    kind, body = path.split("/")[1], case.body
    ids = {"vouchers": known.provisions, "redemptions": known.redemptions, "refunds": known.refunds}.get(kind, [])
    if isinstance(body, dict):
        if path.endswith(("confirmations", "reversals")):
            nudge_advice(draw, body, ids)
        else:
            nudge_request(draw, body, kind, known)
        if case.path_parameters and UUID.fullmatch(str(body.get("id"))):
            case.path_parameters["provisionId"] = body["id"]
    elif case.path_parameters:
        case.path_parameters["requestId"] = draw(st.sampled_from([*known.redemptions, *known.provisions]))
    elif (method, path) == ("GET", "/vouchers"):
        names = {
            "voucherCode": known.codes,
            "voucherSerialNumber": known.serials,
            "provisionRequestId": known.provisions,
        }
        name = draw(st.sampled_from(sorted(names)))
        case.query = {name: draw(st.sampled_from(names[name]))}


def nudge_advice(draw: st.DrawFn, body: dict[str, Any], ids: list[str]) -> None:
    """An advice about a request that exists, for the whole amount or for a random one."""
    if "requestId" in body:
        body["requestId"] = draw(st.sampled_from(ids) | st.builds(new_id))
    if draw(st.booleans()):
        body.pop("amounts", None)


def nudge_request(draw: st.DrawFn, body: dict[str, Any], kind: str, known: Known) -> None:
    """A request from the right client about something that is sold, or a voucher that was."""
    if isinstance(body.get("client"), dict):
        body["client"]["id"] = FUZZ.id
    if isinstance(body.get("id"), str) and draw(st.integers(0, 4)) > 0:
        body["id"] = new_id()
    amounts = draw(st.sampled_from(["whole", "some", "none"]))
    given = {"whole": {"requestAmount": rand(10_000)}, "some": {"requestAmount": rand(draw(cents))}, "none": None}
    changes: dict[str, Any] = {"amounts": given[amounts], "receiver": draw(st.sampled_from([MOBITALK, None]))}
    if kind == "vouchers":
        changes["product"] = {"productId": draw(st.sampled_from(["SBXANY", "SBXPIN", "SBXFIX100", "SBXDECLINE01"]))}
        changes["voucher"] = draw(st.sampled_from([REMOVED, {"code": f"FUZZ-{new_id()[:13]}"}]))
        changes["tenders"] = REMOVED if draw(st.booleans()) else body.get("tenders")
    else:
        changes["voucher"] = {"code": draw(st.sampled_from(known.codes))}
        if kind == "refunds" and draw(st.booleans()):
            changes["redemptionId"] = draw(st.sampled_from(known.redemptions))
    for name, value in changes.items():
        if value is REMOVED:
            body.pop(name, None)
        else:
            body[name] = value


@pytest.mark.parametrize(("method", "path"), OPERATIONS, ids=[f"{method} {path}" for method, path in OPERATIONS])
def test_every_answer_is_one_that_the_document_describes(
    document: BaseSchema, session: requests.Session, switch: Switch, known: Known, method: str, path: str
) -> None:
    operation: APIOperation[Any, Any, Any, Any] = document[path][method]
    modes = [operation.as_strategy(generation_mode=mode) for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)]

    @st.composite
    def cases(draw: st.DrawFn) -> Case[Any]:
        case: Case[Any] = draw(modes[0] if draw(st.integers(0, 2)) else modes[1])
        nudge(draw, case, method, path, known)
        return case

    @settings(
        max_examples=CASES_EACH,
        derandomize=ALWAYS_THE_SAME,
        database=None,
        deadline=None,
        phases=[Phase.generate, Phase.shrink],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=cases())
    def check(case: Case[Any]) -> None:
        response = case.call(base_url=f"{switch.root}{BASE}", session=session)
        case.validate_response(response, checks=CHECKS)
        headers = {name.lower(): values[0] for name, values in response.headers.items()}
        read(method, urlsplit(str(response.request.url)).path, response.status_code, headers, response.content)

    check()
