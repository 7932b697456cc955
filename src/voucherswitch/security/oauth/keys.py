"""The keys that sign our tokens: three states, and what a process holds of them.

A key is published as NEXT before it signs, ACTIVE while it does, and RETIRED until the last token that it signed has
run out. The catalogue brings them into every worker; `catalogue/token_keys.py` moves them from state to state.

ES256: every library and every gateway knows it, a key is small, and a signature is verified in half the time that
Ed25519 takes here (0026).
"""

import json
from collections.abc import Iterable, Mapping
from enum import IntEnum
from types import MappingProxyType
from typing import Final

import structlog
from joserfc.jwk import ECKey, Key
from msgspec import Struct

from voucherswitch.security.sealed import TOKEN_KEY
from voucherswitch.security.vault import Vault, VaultError

log = structlog.get_logger(__name__)

ALGORITHM: Final = "ES256"
_CURVE: Final = "P-256"


class KeyState(IntEnum):
    """Numbers as they are stored."""

    NEXT = 1
    ACTIVE = 2
    RETIRED = 3


class TokenKey(Struct, frozen=True, kw_only=True):
    """A key as it is stored: `public` is a JWK, `sealed` the private JWK under the vault key."""

    kid: str
    state: KeyState
    public: str
    sealed: bytes


class NoSigningKeyError(Exception):
    """No key signs: none was made yet, or the vault cannot open it. The text says which."""


class OwnKeys(Struct, frozen=True):
    """The keys of one catalogue, ready for use. Every state verifies, one signs."""

    verifying: Mapping[str, Key] = MappingProxyType({})
    signing: tuple[str, Key] | None = None
    published: bytes = b'{"keys":[]}'

    @classmethod
    def of(cls, keys: Iterable[TokenKey], vault: Vault) -> "OwnKeys":
        """Read the keys. One that the vault does not open verifies, and does not sign."""
        verifying: dict[str, Key] = {}
        signing: tuple[str, Key] | None = None
        for key in keys:
            public = json.loads(key.public)
            verifying[key.kid] = ECKey.import_key(public)
            if key.state is KeyState.ACTIVE:
                try:
                    signing = (
                        key.kid,
                        ECKey.import_key(json.loads(vault.open(key.sealed, TOKEN_KEY.context("sealed", key.kid)))),
                    )
                except VaultError as error:
                    log.error("no token can be signed", kid=key.kid, reason=str(error))
        documents = [json.loads(key.public) | {"kid": key.kid, "use": "sig", "alg": ALGORITHM} for key in keys]
        published = json.dumps({"keys": documents}, separators=(",", ":")).encode()
        return cls(MappingProxyType(verifying), signing, published)

    def signer(self) -> tuple[str, Key]:
        """The key that signs, with its id.

        Raises:
            NoSigningKeyError: there is none.
        """
        if self.signing is None:
            raise NoSigningKeyError("no key signs tokens: none was made yet, or the vault does not open it")
        return self.signing


def new_key(vault: Vault, state: KeyState) -> TokenKey:
    """Make a key; its id is its thumbprint (RFC 7638)."""
    key = ECKey.generate_key(_CURVE)
    kid = key.thumbprint()
    private = json.dumps(key.as_dict(private=True)).encode()
    public = json.dumps(key.as_dict(private=False), separators=(",", ":"))
    return TokenKey(kid=kid, state=state, public=public, sealed=vault.seal(private, TOKEN_KEY.context("sealed", kid)))
