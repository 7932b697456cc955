"""An OAuth2 client of a switch: it fetches tokens, uses them and gives them back."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from support.client import BASE, Answer, Client
from support.messages import Json
from support.originators import Originator
from support.switch import Switch
from voucherswitch.catalogue import oauth_clients
from voucherswitch.catalogue.oauth_clients import GRANTS
from voucherswitch.security.oauth.scopes import Scope

FORM = "application/x-www-form-urlencoded"


@dataclass(frozen=True)
class Reply:
    """What a token endpoint answers."""

    status: int
    headers: Mapping[str, str]
    body: Any

    @property
    def error(self) -> str | None:
        """The error's name."""
        error: str | None = self.body.get("error")
        return error


@dataclass(frozen=True)
class App:
    """A registered client, in an originator's name, at a switch."""

    switch: Switch
    originator: Originator
    client_id: str
    secret: str

    async def ask(self, path: str = "/oauth2/token", /, **form: str) -> Reply:
        """Send a form; the client proves itself with HTTP Basic."""
        return await post_form(self.switch.client, path, form, (self.client_id, self.secret))

    async def tokens(self, **form: str) -> Json:
        """The answer to a request that is granted; by default of the grant client_credentials."""
        reply = await self.ask(**{"grant_type": "client_credentials"} | form)
        assert reply.status == 200, reply
        found: Json = reply.body
        return found

    async def token(self, **form: str) -> str:
        """An access token."""
        text: str = (await self.tokens(**form))["access_token"]
        return text

    async def ask_at(self, client: Client) -> str:
        """An access token from another worker, which may still have to learn of this client."""
        form = {"grant_type": "client_credentials"}
        reply = await post_form(client, "/oauth2/token", form, (self.client_id, self.secret))
        assert reply.status == 200, reply
        text: str = reply.body["access_token"]
        return text

    async def granted_at(self, client: Client) -> bool:
        """Whether a worker knows this client."""
        form = {"grant_type": "client_credentials"}
        return (await post_form(client, "/oauth2/token", form, (self.client_id, self.secret))).status == 200

    async def log_in_at(self, client: Client) -> Json:
        """Tokens by the originator's password, from another worker."""
        who = {"grant_type": "password", "username": self.originator.id, "password": self.originator.password}
        reply = await post_form(client, "/oauth2/token", who, (self.client_id, self.secret))
        assert reply.status == 200, reply
        found: Json = reply.body
        return found

    async def log_in(self, **form: str) -> Json:
        """Tokens by the originator's password."""
        who = {"grant_type": "password", "username": self.originator.id, "password": self.originator.password}
        return await self.tokens(**who | form)

    async def refresh(self, refresh_token: str, **form: str) -> Reply:
        """Exchange a refresh token."""
        return await self.ask(grant_type="refresh_token", refresh_token=refresh_token, **form)


async def an_app(
    switch: Switch,
    originator: Originator,
    *,
    grants: tuple[str, ...] = GRANTS,
    scopes: tuple[Scope, ...] = tuple(Scope),
) -> App:
    """Register a client and wait until the worker knows it."""
    async with switch.pool.acquire() as connection:
        new = await oauth_clients.add_client(connection, originator.id, None, grants, scopes)
    app = App(switch, originator, new.client_id, new.secret)
    await switch.caught_up()
    return app


async def post_form(client: Client, path: str, form: Mapping[str, str], basic: tuple[str, str] | None) -> Reply:
    """POST a form, with or without HTTP Basic."""
    body = urlencode(form).encode()
    return await post(client, path, body, FORM, basic)


async def post(client: Client, path: str, body: bytes, content_type: str, basic: tuple[str, str] | None) -> Reply:
    """POST any body."""
    status, headers, raw = await client.bare("POST", path, body, {"content-type": content_type}, basic)
    return Reply(status, headers, json.loads(raw))


async def use(client: Client, token: str, path: str = "/products", method: str = "GET", **given: Any) -> Answer:
    """Call an operation with a token."""
    headers = {"authorization": f"Bearer {token}"}
    return await client.send(method, BASE + path, by=None, headers=headers, **given)
