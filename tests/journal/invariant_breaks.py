"""What breaks each invariant by hand: the SQL, and the request that is then reported.

In the SQL `{sold}` is the id of the request in that state (journal_traffic.py), `{sold_code}` the fingerprint of its
voucher.
"""

from typing import Final, NamedTuple


class Break(NamedTuple):
    """One way to break an invariant. `request` None: a row without one is reported."""

    invariant: str
    request: str | None
    sql: str


def _record(request: str, change: str) -> str:
    return f"UPDATE transaction SET {change} WHERE request_id = '{{{request}}}';"


def _advice(request: str, change: str) -> str:
    return f"UPDATE advice SET {change} WHERE request_id = '{{{request}}}';"


def _voucher(request: str, change: str) -> str:
    return f"UPDATE voucher SET {change} WHERE fingerprint = '{{{request}_code}}';"


def _used_again(request: str, kind: int) -> str:
    return f"""INSERT INTO transaction (request_id, generation, kind, state, originator_id)
               VALUES ('{{{request}}}', 1, {kind}, 1, 'TILL');"""


def _one_more(request: str, kind: int, state: int = 1, lane: int = 0) -> str:
    return f"""INSERT INTO advice (request_id, generation, advice_id, kind, request_kind, state, originator_id,
                                   provider_id, lane, attempts, finished_at)
               VALUES ('{{{request}}}', 0, gen_random_uuid(), {kind}, 1, {state}, 'TILL', 'protea', {lane}, 1,
                       CASE {state} WHEN 1 THEN NULL ELSE now() END);"""


BREAKS: Final = (
    Break("id_used_twice", "sold", _used_again("sold", 1)),
    Break("id_used_twice", "redeeming", _used_again("redeeming", 2)),
    Break("id_used_twice", "used", _used_again("used", 3)),
    Break("confirmed_and_reversed", "sold", _record("sold", "reversal_id = gen_random_uuid()")),
    Break("confirmed_and_reversed", "sold", _one_more("sold", kind=2)),
    Break("confirmed_and_reversed", "reversed", _one_more("reversed", kind=1, state=2)),
    Break("two_advices", "sold", _one_more("sold", kind=1)),
    Break("confirmation_lost", "sold", "DELETE FROM advice WHERE request_id = '{sold}'"),
    Break("confirmation_lost", "used", _advice("used", "state = 6, finished_at = now()")),
    Break("confirmation_lost", "approved", _record("approved", "state = 5")),
    Break("reversal_lost", "reversed", "DELETE FROM advice WHERE request_id = '{reversed}'"),
    Break("reversal_lost", "unknown", _record("unknown", "state = 6")),
    Break("advice_disagrees", "sold", _record("sold", "state = 2")),
    Break("advice_disagrees", "reversed", _record("reversed", "state = 3")),
    Break("advice_misdirected", "sold", _advice("sold", "provider_id = 'karoo'")),
    Break("advice_misdirected", "sold", _advice("sold", "originator_id = 'OTHER'")),
    Break("advice_misdirected", "sold", _advice("sold", "request_kind = 2")),
    Break("advice_misdirected", "sold", _advice("sold", "fingerprint = 'x'")),
    Break("advice_misdirected", "sold", _one_more("sold", kind=1, lane=99)),
    Break("advice_impossible", "sold", _advice("sold", "state = 2, finished_at = now()")),
    Break("advice_impossible", "sold", _advice("sold", "finished_at = now()")),
    Break("advice_impossible", "sold", _advice("sold", "state = 4")),
    Break("advice_impossible", "sold", _advice("sold", "state = 5, finished_at = now()")),
    Break("advice_impossible", "sold", _advice("sold", "state = 8, finished_at = now()")),
    Break("advice_without_record", "sold", "DELETE FROM transaction WHERE request_id = '{sold}'"),
    Break("advice_to_nobody", "sold", _advice("sold", "provider_id = 'gone'")),
    Break("advice_to_nobody", "sold", _advice("sold", "provider_id = NULL, state = 4, finished_at = now()")),
    Break("approval_incomplete", "approved", _record("approved", "answer = NULL")),
    Break("approval_incomplete", "sold", _record("sold", "approved_cents = NULL")),
    Break("approval_incomplete", "redeemed", _record("redeemed", "fingerprint = NULL")),
    Break("issued_and_undelivered", "approved", _record("approved", "state = 3, error = '{{}}'")),
    Break("issued_and_undelivered", "unknown", _record("unknown", "fingerprint = 'x'")),
    Break("reason_missing", "declined", _record("declined", "error = NULL")),
    Break("reason_missing", "unknown", _record("unknown", "alert = NULL")),
    Break("tombstone_alive", "tombstone", _record("tombstone", "provider_id = 'protea'")),
    Break("tombstone_alive", "tombstone", _record("tombstone", "reversal_id = NULL")),
    Break("tombstone_alive", "tombstone", _one_more("tombstone", kind=2)),
    Break("sold_without_voucher", "sold", "DELETE FROM voucher WHERE fingerprint = '{sold_code}'"),
    Break(
        "sold_without_voucher",
        "approved",
        """INSERT INTO voucher (fingerprint, receiver_id, state, provision_id)
           VALUES ('{approved_code}', 'BRAND', 1, '{approved}')""",
    ),
    Break("claim_disagrees", "redeeming", _voucher("redeeming", "open_id = NULL")),
    Break("claim_disagrees", "redeemed", _voucher("redeemed", "open_id = '{redeemed}', open_generation = 0")),
    Break("use_disagrees", "redeemed", _voucher("redeemed", "state = 1")),
    Break("use_disagrees", "redeemed", _voucher("redeemed", "redemption_id = '{used}'")),
    Break("use_disagrees", "unused", _voucher("unused", "state = 2")),
    Break("use_disagrees", "refunded", _voucher("refunded", "state = 3")),
    Break("use_disagrees", "kept", _voucher("kept", "state = 4")),
    Break("voucher_disagrees", "used", _voucher("used", "state = 2")),
    Break("voucher_disagrees", "redeemed", _voucher("redeemed", "state = 3")),
    Break("voucher_disagrees", "sold", _record("sold", "state = 2")),
    Break("voucher_disagrees", "redeeming", _record("redeeming", "state = 3")),
    Break("voucher_disagrees", "redeemed", "DELETE FROM transaction WHERE request_id = '{redeemed}'"),
    Break("voucher_disagrees", "refunded", "DELETE FROM transaction WHERE request_id = '{refunded}'"),
    Break("voucher_disagrees", "refunded", _record("refunded", "state = 5")),
    Break(
        "sold_twice",
        "approved",
        _record("approved", "fingerprint = '{sold_code}', opened_at = now() + interval '1 s'"),
    ),
    Break("refunded_too_much", "given_back", _record("refunded", "approved_cents = 10001")),
    Break("refunded_too_much", "given_back", _record("given_back", "state = 2")),
    Break("open_unattended", "unknown", _record("unknown", "resolve_at = now() - interval '2 hours'")),
    Break("open_unattended", "pending", _record("pending", "resolve_at = now() - interval '2 hours'")),
    Break(
        "open_unattended",
        "pending",
        """INSERT INTO worker (worker_id, role, host, pid, expires_at)
           VALUES (1, 'switch', 'here', 1, now() + interval '1 minute');"""
        + _record("pending", "call_until = now() - interval '2 hours'"),
    ),
    Break(
        "lane_blocked",
        None,
        """INSERT INTO lane (provider_id, lane, holder, expires_at)
           VALUES ('protea', 0, 'gone', now() + interval '1 hour')""",
    ),
    Break(
        "lane_blocked",
        None,
        "INSERT INTO lane (provider_id, lane, expires_at) VALUES ('protea', 0, now() + interval '1 minute')",
    ),
)
