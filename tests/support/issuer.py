"""An issuer of tokens that is not the switch: a real HTTP server that publishes its keys."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any
from uuid import uuid4

from joserfc import jwt
from joserfc.jwk import ECKey, Key, RSAKey

from support.originators import TILL

ISSUER = "https://issuer.example/realm"


class Issuer:
    """Publishes `published` at `url`, and signs with `key`."""

    def __init__(self) -> None:
        self.url = ""
        self.asked = 0
        self.key: Key = ECKey.generate_key("P-256")
        self.published: list[Any] = [self.public(self.key)]
        self.status = "200 OK"
        self._server: asyncio.Server | None = None

    @staticmethod
    def public(key: Key, **members: Any) -> dict[str, Any]:
        """A key as it is published."""
        return dict(key.as_dict(private=False)) | {"kid": key.thumbprint(), "use": "sig"} | members

    def new_key(self) -> None:
        """Sign with another key from now on, and publish only that."""
        self.key = ECKey.generate_key("P-256")
        self.published = [self.public(self.key)]

    def token(self, *, key: Key | None = None, header: dict[str, Any] | None = None, **claims: Any) -> str:
        """A token; a claim that is None is left out."""
        signer = key or self.key
        now = int(time.time())
        whole = {
            "iss": ISSUER, "aud": "suv", "sub": TILL.id, "iat": now, "exp": now + 300, "jti": str(uuid4()),
            "scope": "openid suv.products",
        } | claims  # fmt: skip
        alg = "RS256" if isinstance(signer, RSAKey) else "ES256"
        return jwt.encode(
            {"alg": alg, "kid": signer.thumbprint(), "typ": "at+jwt"} | (header or {}),
            {name: value for name, value in whole.items() if value is not None},
            signer,
            [alg],
        )

    async def start(self) -> None:
        """Answer."""
        self._server = await asyncio.start_server(self._answer, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/keys"

    async def stop(self) -> None:
        """Be gone."""
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()
            self._server = None

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        self.asked += 1
        body = json.dumps({"keys": self.published}).encode()
        head = f"HTTP/1.1 {self.status}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        writer.write(head.encode() + b"Connection: close\r\n\r\n" + body)
        await writer.drain()
        writer.close()


@asynccontextmanager
async def an_issuer() -> AsyncIterator[Issuer]:
    """An issuer that answers."""
    issuer = Issuer()
    await issuer.start()
    try:
        yield issuer
    finally:
        await issuer.stop()
