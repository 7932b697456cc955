"""The application: `uvicorn bench.conventional.app:app --workers N`."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from time import perf_counter
from typing import Annotated

import httpx
from fastapi import Depends, FastAPI, HTTPException, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker

from bench.conventional.messages import (
    DetailMessage,
    ErrorDetail,
    FormatError,
    ProvisionRequest,
    ProvisionResponse,
)
from bench.conventional.provider import LIMITS, TIMEOUT, SandboxProvider
from bench.conventional.security import Vault, current_user
from bench.conventional.service import Received, Refused, provision
from bench.conventional.settings import Settings, get_settings, read_settings
from bench.conventional.tables import make_engine


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncIterator[None]:
    """Hold one engine and one HTTP client for the life of the process."""
    settings = read_settings()
    app.state.settings = settings
    engine = make_engine(settings.database_url.get_secret_value(), settings.pool_size)
    app.state.sessions = async_sessionmaker(engine, expire_on_commit=False)
    app.state.vault = Vault(bytes.fromhex(settings.vault_key.get_secret_value()))
    async with httpx.AsyncClient(
        base_url=settings.provider_url,
        headers={"Authorization": f"Bearer {settings.provider_key.get_secret_value()}"},
        timeout=TIMEOUT,
        limits=LIMITS,
    ) as client:
        app.state.provider = SandboxProvider(client)
        yield
    await engine.dispose()


app = FastAPI(title="Single Use Vouchers, conventional stack", lifespan=lifespan)


async def get_session(request: Request) -> AsyncIterator[AsyncSession]:
    """Open a session for one request; between its commits it holds no connection."""
    sessions: async_sessionmaker[AsyncSession] = request.app.state.sessions
    async with sessions() as session:
        yield session


async def get_provider(request: Request) -> SandboxProvider:
    """Return the provider of this process."""
    provider: SandboxProvider = request.app.state.provider
    return provider


async def get_vault(request: Request) -> Vault:
    """Return the vault of this process."""
    vault: Vault = request.app.state.vault
    return vault


async def get_received() -> Received:
    """Note when the request came in."""
    return Received(at=datetime.now(UTC), clock=perf_counter())


@app.post("/suv/v1/vouchers", status_code=201, response_model_exclude_none=True)
async def provision_voucher(
    received: Annotated[Received, Depends(get_received)],
    user: Annotated[str, Depends(current_user)],
    message: ProvisionRequest,
    response: Response,
    session: Annotated[AsyncSession, Depends(get_session)],
    provider: Annotated[SandboxProvider, Depends(get_provider)],
    vault: Annotated[Vault, Depends(get_vault)],
    settings: Annotated[Settings, Depends(get_settings)],
) -> ProvisionResponse:
    """Ask a provider for a voucher."""
    answer = await provision(
        message,
        user=user,
        received=received,
        session=session,
        provider=provider,
        vault=vault,
        settings=settings,
    )
    response.headers["Location"] = "/suv/v1/vouchers"
    return answer


@app.exception_handler(Refused)
async def refused(_: Request, refusal: Refused) -> JSONResponse:
    """Answer a refusal with its ErrorDetail."""
    return JSONResponse(refusal.detail.model_dump(by_alias=True, exclude_none=True), refusal.status)


@app.exception_handler(HTTPException)
async def not_let_in(_: Request, error: HTTPException) -> JSONResponse:
    """Answer 401 with an ErrorDetail too."""
    detail = ErrorDetail(error_type="AUTHENTICATION_ERROR", error_message=error.detail)
    return JSONResponse(detail.model_dump(by_alias=True, exclude_none=True), error.status_code, error.headers)


@app.exception_handler(RequestValidationError)
async def bad_format(_: Request, error: RequestValidationError) -> JSONResponse:
    """Answer what pydantic refused, field by field."""
    detail = ErrorDetail(
        error_type="FORMAT_ERROR",
        error_message="Bad formatting.",
        detail_message=DetailMessage(
            format_errors=[
                FormatError(field=".".join(str(part) for part in one["loc"][1:]), msg=one["msg"])
                for one in error.errors()
            ]
        ),
    )
    return JSONResponse(detail.model_dump(by_alias=True, exclude_none=True), 400)
