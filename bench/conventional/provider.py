"""The sandbox provider through httpx (providers.md section 11)."""

import sys
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.util import find_spec
from time import perf_counter
from typing import Literal

import httpx
from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic.alias_generators import to_camel

from bench.conventional.masking import masked_json

if find_spec("sniffio") is None:
    # httpcore tries to import it in every call and searches the whole path when it is missing, 0.5 ms a request.
    # This makes the search fail at once; with sniffio installed it would succeed at once.
    sys.modules["sniffio"] = None  # type: ignore[assignment]

LIMITS = httpx.Limits(
    max_connections=200, max_keepalive_connections=200
)  # the default keeps 20 alive: far too few here
TIMEOUT = httpx.Timeout(15.0, connect=3.0, read=12.0)


class ProviderMessage(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel, populate_by_name=True)


class Sale(ProviderMessage):
    request_id: str
    product_id: str
    amount_cents: int
    currency: Literal["ZAR"] = "ZAR"
    store: str
    terminal: str
    voucher_code: str | None = None


class SoldVoucher(ProviderMessage):
    code: str
    serial: str
    value_cents: int
    balance_cents: int
    expires_at: datetime
    instructions: list[str] = []


class Sold(ProviderMessage):
    request_id: str
    provider_ref: str
    product_id: str
    state: Literal["PROVISIONED"]
    voucher: SoldVoucher


class Refusal(ProviderMessage):
    code: str
    provider_code: str | None = None
    message: str | None = None


class RefusalBody(ProviderMessage):
    error: Refusal


@dataclass(frozen=True, slots=True)
class Exchange:
    """One call: what came of it, and what a trace may show of it."""

    outcome: Literal["approved", "declined", "not_sent", "unknown"]
    started_at: datetime
    duration_us: int
    request: str
    sold: Sold | None = None
    refusal: Refusal | None = None
    status: int | None = None
    response: str | None = None
    error: str | None = None


class SandboxProvider:
    """Issues vouchers. One call is one attempt."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._client = client

    async def issue(self, sale: Sale) -> Exchange:
        """Ask for one voucher."""
        body = sale.model_dump(mode="json", by_alias=True, exclude_none=True)
        request = masked_json(body)
        started_at, started = datetime.now(UTC), perf_counter()
        try:
            answer = await self._client.post("/vouchers", json=body)
        except httpx.HTTPError as error:
            return Exchange(
                "not_sent" if isinstance(error, httpx.ConnectError | httpx.ConnectTimeout) else "unknown",
                started_at,
                _us_since(started),
                request,
                error=type(error).__name__,
            )
        duration_us = _us_since(started)
        try:
            seen = masked_json(answer.json())
            if answer.status_code == httpx.codes.CREATED:
                sold = Sold.model_validate_json(answer.content)
                fits = sold.request_id == sale.request_id and sold.voucher.value_cents == sale.amount_cents
                return Exchange(
                    "approved" if fits else "unknown",
                    started_at,
                    duration_us,
                    request,
                    sold=sold if fits else None,
                    status=answer.status_code,
                    response=seen,
                )
            refusal = RefusalBody.model_validate_json(answer.content).error
        except (ValidationError, ValueError) as error:
            return Exchange(
                "unknown", started_at, duration_us, request, status=answer.status_code, error=type(error).__name__
            )
        outcome: Literal["declined", "not_sent", "unknown"] = "unknown"
        if answer.status_code in (404, 409, 422):
            outcome = "declined"
        elif answer.status_code in (400, 401, 429, 503):
            outcome = "not_sent"
        return Exchange(
            outcome, started_at, duration_us, request, refusal=refusal, status=answer.status_code, response=seen
        )


def _us_since(started: float) -> int:
    return int((perf_counter() - started) * 1e6)
