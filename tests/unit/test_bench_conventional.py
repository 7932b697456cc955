"""The conventional stack must do the work it is measured for: validate, seal, mask and answer as the interface says."""

import json
import sys
from pathlib import Path

import pytest

pytest.importorskip("fastapi", reason="fastapi is in the bench dependency group")
pytest.importorskip("httpx", reason="httpx is in the bench dependency group")
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))  # the benchmark is not part of the installed package

import httpx
from bench.conventional.masking import masked_json
from bench.conventional.messages import ProvisionRequest
from bench.conventional.provider import Sale, SandboxProvider
from bench.conventional.security import Vault
from bench.provision import MASKED_REQUEST, REQUEST, compact
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from pydantic import ValidationError

SALE = Sale(request_id="5f3a1c9e-7b42-4d0e-9a61-2c8f0e5d7b13", product_id="SBXANY", amount_cents=10_000,
            store="S001", terminal="TERM0001")  # fmt: skip
SOLD = {
    "requestId": SALE.request_id,
    "providerRef": "SBXV00000001",
    "productId": "SBXANY",
    "state": "PROVISIONED",
    "voucher": {
        "code": "9000000000001231",
        "serial": "SX00000001",
        "valueCents": 10_000,
        "balanceCents": 10_000,
        "expiresAt": "2029-03-02T23:59:59+02:00",
        "instructions": ["Sandbox voucher"],
    },
}


def provider_that(status: int, body: object) -> SandboxProvider:
    transport = httpx.MockTransport(lambda _: httpx.Response(status, json=body))
    return SandboxProvider(httpx.AsyncClient(transport=transport, base_url="http://sandbox"))


def test_a_request_comes_back_as_it_was_sent() -> None:
    message = ProvisionRequest.model_validate_json(compact(REQUEST))

    assert json.loads(message.model_dump_json(by_alias=True, exclude_none=True)) == REQUEST


@pytest.mark.parametrize(
    "wrong",
    [
        {"id": "12345"},
        {"time": "2026-03-12T09:15:02"},
        {"surprise": 1},
        {"client": None},
        {"amounts": {"requestAmount": {"amount": 1, "currency": "ZAR"}}},
    ],
)
def test_what_the_interface_refuses_is_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        ProvisionRequest.model_validate(REQUEST | wrong)


def test_a_currency_may_be_a_number() -> None:
    message = ProvisionRequest.model_validate(
        REQUEST | {"amounts": {"requestAmount": {"amount": 100, "currency": 710}}}
    )

    assert message.amounts is not None
    assert message.amounts.request_amount is not None
    assert message.amounts.request_amount.currency == "710"


def test_a_trace_shows_no_secret() -> None:
    answer = REQUEST | {
        "voucher": {"code": "9000000000001231", "pin": "4711", "redeemInstructions": ["Dial *1*9000000000001231#"]},
        "slipData": {"messageLines": [{"text": "9000 0000 0000 1231"}], "issuerReference": "SBXV1"},
        "tenders": [{"cardNumber": "4000001234561234"}],
    }

    seen = masked_json(answer)

    assert not any(secret in seen for secret in ("9000", "4711", "Thandi", "2782", "C-117", "123456"))
    assert "SBXV1" in seen
    assert "Cape Town" in seen
    assert json.loads(masked_json(REQUEST)) == MASKED_REQUEST | {
        "originator": {**MASKED_REQUEST["originator"], "operatorId": "***"}  # type: ignore[dict-item]
    }


def test_a_sealed_voucher_opens_only_for_its_own_request() -> None:
    vault = Vault(bytes(32))
    sealed = vault.seal(b"9000000000001231", b"request-1")

    assert AESGCM(bytes(32)).decrypt(sealed[1:13], sealed[13:], b"request-1") == b"9000000000001231"
    with pytest.raises(InvalidTag):
        AESGCM(bytes(32)).decrypt(sealed[1:13], sealed[13:], b"request-2")
    assert vault.fingerprint("a") == vault.fingerprint("a") != vault.fingerprint("b")


async def test_a_voucher_of_the_provider_is_approved_and_its_code_masked() -> None:
    exchange = await provider_that(201, SOLD).issue(SALE)

    assert exchange.outcome == "approved"
    assert exchange.sold is not None
    assert exchange.sold.voucher.code == "9000000000001231"
    assert exchange.response is not None
    assert "9000000000001231" not in exchange.response


@pytest.mark.parametrize(
    ("status", "body", "outcome"),
    [
        (201, SOLD | {"requestId": "another"}, "unknown"),
        (201, SOLD | {"voucher": {}}, "unknown"),
        (422, {"error": {"code": "DO_NOT_HONOUR", "providerCode": "SBX-422", "message": "No"}}, "declined"),
        (503, {"error": {"code": "UPSTREAM_UNAVAILABLE"}}, "not_sent"),
        (500, {"error": {"code": "GENERAL_ERROR"}}, "unknown"),
        (500, "not the provider's", "unknown"),
    ],
)
async def test_only_what_an_answer_proves_is_believed(status: int, body: object, outcome: str) -> None:
    assert (await provider_that(status, body).issue(SALE)).outcome == outcome


async def test_silence_after_sending_is_unknown_and_no_connection_is_not_sent() -> None:
    async def fail_with(error: httpx.HTTPError) -> str:
        def handle(_: httpx.Request) -> httpx.Response:
            raise error

        client = httpx.AsyncClient(transport=httpx.MockTransport(handle), base_url="http://sandbox")
        return (await SandboxProvider(client).issue(SALE)).outcome

    assert await fail_with(httpx.ReadTimeout("silence")) == "unknown"
    assert await fail_with(httpx.ConnectError("refused")) == "not_sent"
