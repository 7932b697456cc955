"""The audit trail: append only, hash-chained, gapless (docs/operations/audit.md)."""

from voucherswitch.people.audit.event import Actor, Event
from voucherswitch.people.audit.record import Change, audited, record

__all__ = ("Actor", "Change", "Event", "audited", "record")
