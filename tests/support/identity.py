"""A small OpenID Connect provider over real HTTP: one person, about whom it says what the test wants."""

import base64
import hashlib
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from joserfc import jwt
from joserfc.jwk import RSAKey

CLIENT, SECRET = "console", "a client secret of the tests"
REDIRECT = "https://console.example/signin/oidc/callback"


class Identity:
    """The provider's state. `claims` go over those that are right; `key` signs, `published` is what is published."""

    def __init__(self) -> None:
        self.key = RSAKey.generate_key(2048, {"kid": "k1"})
        self.published = [self.key]
        # What a key set may hold besides: kinds that we do not know yet, and mistakes.
        self.odd: list[Any] = [{"kty": "AKP", "kid": "k9", "alg": "ML-DSA-44"}, {"kty": ["RSA"]}, "no key"]
        self.claims: dict[str, Any] = {}
        self.algorithm = "RS256"
        self.issuer = ""
        self.codes: dict[str, dict[str, str]] = {}

    def token(self, nonce: str) -> str:
        """An ID token."""
        now = int(time.time())
        right = {"iss": self.issuer, "aud": CLIENT, "sub": "p-1", "iat": now, "exp": now + 300, "nonce": nonce}
        claims = {key: value for key, value in (right | self.claims).items() if value is not None}
        return jwt.encode({"alg": self.algorithm, "kid": self.key.kid}, claims, self.key)

    def visit(self, url: str) -> tuple[str, str]:
        """What a browser does that is sent here: the person signs in, and is sent back with a state and a code."""
        query = {key: values[0] for key, values in parse_qs(urlsplit(url).query).items()}
        assert (query["client_id"], query["redirect_uri"]) == (CLIENT, REDIRECT)
        assert query["code_challenge_method"] == "S256"
        code = f"code-{len(self.codes)}"
        self.codes[code] = query
        return query["state"], code


@contextmanager
def identity() -> Iterator[Identity]:
    """Run a provider on a port of its own."""
    state = Identity()

    class Handler(BaseHTTPRequestHandler):
        def _send(self, status: int, value: object) -> None:
            body = json.dumps(value).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def do_GET(self) -> None:
            if self.path == "/.well-known/openid-configuration":
                names = ("authorization_endpoint", "token_endpoint", "jwks_uri")
                paths = ("/authorize", "/token", "/jwks")
                found = {name: state.issuer + path for name, path in zip(names, paths, strict=True)}
                self._send(200, found | {"issuer": state.issuer})
            elif self.path == "/jwks":
                self._send(200, {"keys": [key.as_dict(private=False) for key in state.published] + state.odd})
            else:
                self._send(404, {})

        def do_POST(self) -> None:
            form = {
                key: values[0]
                for key, values in parse_qs(self.rfile.read(int(self.headers["content-length"])).decode()).items()
            }
            known = state.codes.pop(form.get("code", ""), None)
            proof = base64.b64encode(f"{CLIENT}:{SECRET}".encode()).decode()
            digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
            challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
            right = (
                self.path == "/token"
                and self.headers["authorization"] == f"Basic {proof}"
                and known is not None
                and challenge == known["code_challenge"]
                and form["redirect_uri"] == REDIRECT
            )
            if not right or known is None:
                self._send(400, {"error": "invalid_grant"})
                return
            self._send(200, {"id_token": state.token(known["nonce"]), "access_token": "x", "token_type": "Bearer"})

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    state.issuer = f"http://127.0.0.1:{server.server_port}"
    serving = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    serving.start()
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()
        serving.join()
