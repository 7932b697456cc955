"""Maker and checker: changes that one person asks for and another agrees to (backoffice §1.2)."""

from voucherswitch.people.approvals import carried, user_actions
from voucherswitch.people.approvals.action import ACTIONS
from voucherswitch.people.approvals.engine import (
    Maker,
    NotAllowedError,
    Request,
    approve,
    expire,
    listed,
    read,
    reject,
    request,
    withdraw,
)

__all__ = (
    "ACTIONS", "Maker", "NotAllowedError", "Request", "approve", "carried", "expire", "listed", "read", "reject",
    "request", "user_actions", "withdraw",
)  # fmt: skip
