"""The originators that every test switch knows, one for each setting whose effect is tested.

A test that needs a setting nobody here has adds its own originator (`Switch.add_originator`).
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

PASSWORD: Final = "till password"


@dataclass(frozen=True)
class Originator:
    """Who speaks. `settings` are columns of the catalogue's originator table."""

    id: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    password: str = PASSWORD


def _dual(**settings: Any) -> Mapping[str, Any]:
    """What most of them may do: everything, in dual messaging, with ids that may serve again."""
    return {"allow_request_id_reuse": True, "redemption": True, "product_lookup": True} | settings


# The two that certification would use: dual messaging, everything allowed.
TILL: Final = Originator("22222222", _dual())
OTHER: Final = Originator("22222223", _dual())

# As most originators are set up: no id serves twice.
STRICT: Final = Originator("22222224", _dual(allow_request_id_reuse=False))

# Answers fall due 0.75 s after receipt, and a provider's call may go on until 2 s.
HASTY: Final = Originator("22222225", _dual(deadline_s=2))
# Answers fall due 1.75 s after receipt: before SBXLATE2000 answers, whose answer still counts.
BRISK: Final = Originator("22222226", _dual(deadline_s=4))

# Single messaging: the switch confirms by itself, after a second or, as far as a test goes, never.
SINGLE: Final = Originator("22222227", _dual(single=True, single_confirm_delay_s=1))
SINGLE_HELD: Final = Originator("22222228", _dual(single=True, single_confirm_delay_s=3600))
SINGLE_HASTY: Final = Originator("22222229", _dual(single=True, single_confirm_delay_s=3600, deadline_s=2))

NO_REDEMPTION: Final = Originator("22222230", _dual(redemption=False))
LOOKUP_FIRST: Final = Originator("22222231", _dual(lookup_before_redemption=True))
DECLINES_404: Final = Originator("22222232", _dual(provision_decline_status=404))
NO_CATALOGUE: Final = Originator("22222233", _dual(catalogue_kept=False))
NO_PRODUCTS: Final = Originator("22222234", _dual(product_lookup=False))
PENDING_102: Final = Originator("22222235", _dual(lookup_pending_status=102, deadline_s=2))
TOLERANT: Final = Originator("22222236", _dual(tolerated_fields=["loyalty", "tenders.scheme"]))
PROTEA_ONLY: Final = Originator("22222237", _dual(receivers=["55555555"]))
DISABLED: Final = Originator("22222238", _dual(enabled=False))
NON_ASCII: Final = Originator("22222239", _dual(), password="Größe & 密码")

# Sends nothing that is ever written.
HOSTILE: Final = Originator("22222240", _dual())

# Sends what a fuzzer thinks of.
FUZZ: Final = Originator("22222241", _dual(deadline_s=10))

# In no catalogue.
DOES_NOT_EXIST: Final = Originator("22229999")

ALL: Final = (
    TILL, OTHER, STRICT, HASTY, BRISK, SINGLE, SINGLE_HELD, SINGLE_HASTY, NO_REDEMPTION, LOOKUP_FIRST, DECLINES_404,
    NO_CATALOGUE, NO_PRODUCTS, PENDING_102, TOLERANT, PROTEA_ONLY, DISABLED, NON_ASCII, HOSTILE,
    FUZZ,
)  # fmt: skip
