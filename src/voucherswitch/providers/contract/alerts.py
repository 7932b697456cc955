"""Causes that operators must hear of: an outcome carries one by name, monitoring alerts on it (providers.md B.4)."""

from typing import Final

BAD_ANSWER: Final = "bad_answer"  # success said, but the answer is unusable or is not about what was asked
CREDENTIALS_REFUSED: Final = "credentials_refused"  # the provider does not accept our key, signature or token
MESSAGE_REFUSED: Final = "message_refused"  # the provider calls our message malformed
FLOAT_EXHAUSTED: Final = "float_exhausted"  # our balance or credit at the provider does not cover the request
DEAD_VOUCHER: Final = "dead_voucher"  # the customer holds a voucher that its provider no longer honours
