"""What the token endpoints of one worker share."""

import time

from msgspec import Struct

from voucherswitch.catalogue.revocations import RefreshTokens, Revocations
from voucherswitch.security.basic import BasicAuthenticator
from voucherswitch.security.oauth.bearer import BearerAuthenticator
from voucherswitch.security.oauth.issue import Grant, issue
from voucherswitch.security.refusals import RefusalLog


class TokenService(Struct, frozen=True):
    """Issues and takes back tokens. Passwords and secrets are each verified once and then remembered for a while."""

    issuer: str
    audience: str
    lifetime_s: int
    passwords: BasicAuthenticator
    secrets: BasicAuthenticator
    refusals: RefusalLog
    bearer: BearerAuthenticator
    log_ins: RefreshTokens
    revocations: Revocations
    certificates: bool = False  # whether clients may come with certificates

    def signed(self, grant: Grant) -> str:
        """An access token.

        Raises:
            NoSigningKeyError: no key signs at this moment.
        """
        return issue(grant, self.bearer.keys.signer(), self.issuer, self.audience, self.lifetime_s, time.time())
