"""What the pages ask the journal: plain SQL, each statement with a LIMIT, none opening what is sealed.

`now()` is the start of the page's snapshot, so ages and "still running" agree with each other on one page.
"""

from datetime import datetime, timedelta
from typing import Final, TypeVar
from uuid import UUID

import asyncpg
from msgspec import Struct

from voucherswitch.console.reader import Connection
from voucherswitch.console.rows import (
    Advice,
    Backlog,
    Count,
    Leg,
    Provider,
    Refusal,
    Related,
    Resolution,
    Transaction,
    Unresolved,
)

Row = TypeVar("Row", bound=Struct)

PROVIDERS_MAX: Final = 200
ADVICES_SHOWN_MAX: Final = 25  # of each provider, parked and queued each
LEGS_MAX: Final = 200
LEG_CHARS_MAX: Final = 20_000
ADVICES_MAX: Final = 200
REFUSALS_MAX: Final = 50
GENERATIONS_MAX: Final = 50
RELATED_MAX: Final = 50
UNRESOLVED_MAX: Final = 10_000

# A call counts as running past its deadline while its worker lives, which may have its answer to write.
_RUNNING: Final = "(t.call_until > now() OR (t.call_until IS NOT NULL AND worker_lives(t.worker_id)))"

# Nobody is working on it and nobody knows: money at risk. PENDING counts once the provider's call is over.
UNRESOLVED: Final = f"t.state IN (1, 4) AND (t.state = 4 OR t.call_until IS NULL OR NOT {_RUNNING})"

_LAST_HOUR: Final = """
SELECT date_trunc('minute', opened_at) AS minute, provider_id, grouping(provider_id) = 0 AS by_provider, state,
       count(*) AS number
  FROM transaction
 WHERE opened_at >= date_trunc('minute', now()) - interval '59 minutes'
 GROUP BY GROUPING SETS ((date_trunc('minute', opened_at), state), (provider_id, state))
 LIMIT 5000
"""

_BY_STATE: Final = "SELECT state, count(*) FROM transaction WHERE opened_at >= $1 AND opened_at < $2 GROUP BY 1 LIMIT 6"

_UNRESOLVED: Final = f"""
SELECT count(*) AS number, min(opened_at) AS oldest_at,
       coalesce(sum(coalesce(approved_cents, amount_cents)) FILTER (WHERE currency = '710'), 0)::bigint AS cents
  FROM (SELECT * FROM transaction AS t WHERE {UNRESOLVED} ORDER BY opened_at LIMIT {UNRESOLVED_MAX + 1}) AS t
"""  # noqa: S608 (constants)

# Reversed here, and the provider takes no reversals: it may have issued or redeemed all the same.
AT_RISK: Final = "a.state = 3 AND a.kind = 2 AND a.request_kind IN (1, 2)"

_AT_RISK: Final = f"""
SELECT count(*) AS number, min(created_at) AS oldest_at,
       coalesce(sum(worth_cents) FILTER (WHERE currency = '710'), 0)::bigint AS cents
  FROM (SELECT a.created_at, t.currency, coalesce(t.approved_cents, t.amount_cents) AS worth_cents
          FROM advice AS a
          JOIN transaction AS t ON t.request_id = a.request_id AND t.generation = a.generation
         WHERE {AT_RISK} ORDER BY a.created_at LIMIT {UNRESOLVED_MAX + 1}) AS a
"""  # noqa: S608 (constants)

_PROVIDERS: Final = f"""
SELECT p.provider_id, p.connector, p.enabled, p.saf_paused,
       (SELECT fault FROM provider_fault AS f WHERE f.provider_id = p.provider_id) AS fault,
       (SELECT why FROM provider_shut AS s WHERE s.provider_id = p.provider_id) AS shut,
       (SELECT count(*) FROM lane AS l WHERE l.provider_id = p.provider_id) AS lanes,
       (SELECT count(*) FROM lane AS l WHERE l.provider_id = p.provider_id AND l.expires_at > now()) AS lanes_held
  FROM provider AS p
 ORDER BY p.provider_id
 LIMIT {PROVIDERS_MAX}
"""  # noqa: S608 (constants)

# The two states apart, so that each is read from its own partial index. Held: waits by design, for a call that may be
# running or because a reversal may still overtake the switch's own confirmation.
_BACKLOG: Final = f"""
SELECT provider_id, sum(queued)::bigint AS queued, sum(held)::bigint AS held, min(oldest_at) AS oldest_at,
       sum(parked)::bigint AS parked
  FROM (SELECT provider_id, count(*) AS queued, min(created_at) AS oldest_at, 0 AS parked,
               count(*) FILTER (WHERE not_before > now()
                                   OR (by_switch AND attempts = 0 AND next_attempt_at > now())) AS held
          FROM advice WHERE state = 1 GROUP BY provider_id
        UNION ALL
        SELECT provider_id, 0, NULL, count(*), 0 FROM advice WHERE state = 4 GROUP BY provider_id) AS b
 GROUP BY provider_id
 ORDER BY provider_id
 LIMIT {PROVIDERS_MAX}
"""  # noqa: S608 (constants)

_ADVICE_COLUMNS: Final = """a.request_id, a.generation, a.advice_id, a.kind, a.request_kind, a.state, a.by_switch,
       a.provider_id, a.lane, a.reason, coalesce(a.amount_cents, t.approved_cents, t.amount_cents) AS worth_cents,
       t.currency, a.attempts, a.next_attempt_at, a.sending_until, a.last_error,
       a.created_at, a.finished_at"""

_OWED: Final = f"""
SELECT {_ADVICE_COLUMNS}
  FROM unnest($1::text[]) AS p (provider_id)
 CROSS JOIN LATERAL (
        (SELECT * FROM advice WHERE state = 4 AND provider_id = p.provider_id ORDER BY seq LIMIT {ADVICES_SHOWN_MAX})
        UNION ALL
        (SELECT * FROM advice WHERE state = 1 AND provider_id = p.provider_id ORDER BY seq LIMIT {ADVICES_SHOWN_MAX})
       ) AS a
  LEFT JOIN transaction AS t ON t.request_id = a.request_id AND t.generation = a.generation
 ORDER BY a.seq
 LIMIT {PROVIDERS_MAX * ADVICES_SHOWN_MAX * 2}
"""  # noqa: S608 (constants)

_RISKS: Final = f"""
SELECT {_ADVICE_COLUMNS}
  FROM advice AS a
  JOIN transaction AS t ON t.request_id = a.request_id AND t.generation = a.generation
 WHERE {AT_RISK}
 ORDER BY a.created_at
 LIMIT {ADVICES_SHOWN_MAX}
"""  # noqa: S608 (constants)

# The newest generations first. A code that was issued again is the voucher of its newest provision only.
_TRANSACTIONS: Final = f"""
SELECT t.request_id, t.generation, t.reference, t.kind, t.state, t.has_request, t.originator_id,
       o.name AS originator_name, t.single, t.receiver_id, r.name AS receiver_name, r.settlement_name, t.product_id,
       p.name AS product_name, t.provider_id, t.provider_product, t.amount_cents, t.currency, t.approved_cents,
       t.balance_cents, t.voucher_serial, v.state AS voucher_state, t.provider_ref, t.refs, t.error, t.alert,
       t.answered_status, t.redemption_id, t.confirmation_id, t.reversal_id, t.opened_at, t.call_until,
       worker_lives(t.worker_id) AS worker_lives, t.changed_at,
       t.archived_in IS NOT NULL AS archived
  FROM transaction AS t
  LEFT JOIN originator AS o ON o.originator_id = t.originator_id
  LEFT JOIN voucher_provider AS r ON r.receiver_id = t.receiver_id
  LEFT JOIN product AS p ON p.product_id = t.product_id
  LEFT JOIN voucher AS v ON v.fingerprint = t.fingerprint AND v.receiver_id = t.receiver_id
   AND (t.kind <> 1 OR v.provision_id = t.request_id)
 WHERE t.request_id = $1
 ORDER BY t.generation DESC
 LIMIT {GENERATIONS_MAX}
"""  # noqa: S608 (constants)

_LEGS: Final = f"""
SELECT leg_id, generation, advice_id, direction, peer, operation, started_at, duration_us, outcome, status,
       left(request, {LEG_CHARS_MAX}) AS request, char_length(request) AS request_chars,
       left(response, {LEG_CHARS_MAX}) AS response, char_length(response) AS response_chars, error
  FROM leg
 WHERE request_id = $1
 ORDER BY started_at, leg_id
 LIMIT {LEGS_MAX + 1}
"""  # noqa: S608 (constants)

_ADVICES: Final = f"""
SELECT {_ADVICE_COLUMNS}
  FROM advice AS a
  LEFT JOIN transaction AS t ON t.request_id = a.request_id AND t.generation = a.generation
 WHERE a.request_id = $1
 ORDER BY a.seq
 LIMIT {ADVICES_MAX}
"""  # noqa: S608 (constants)

_REFUSALS: Final = f"""
SELECT kind, operation, originator_id, refused_at, error
  FROM refusal WHERE request_id = $1 ORDER BY refusal_id LIMIT {REFUSALS_MAX}
"""  # noqa: S608 (constants)

_RESOLUTIONS: Final = f"""
SELECT resolved_at, resolved_by, from_state, to_state, reason, evidence
  FROM resolution WHERE request_id = $1 ORDER BY resolution_id LIMIT {GENERATIONS_MAX}
"""  # noqa: S608 (constants)

_RELATED: Final = f"""
SELECT t.request_id, t.generation, t.kind, t.state, coalesce(t.approved_cents, t.amount_cents) AS amount_cents,
       t.currency, t.opened_at
  FROM (SELECT DISTINCT fingerprint, receiver_id FROM transaction
         WHERE request_id = $1 AND fingerprint IS NOT NULL LIMIT {GENERATIONS_MAX}) AS v
  JOIN transaction AS t ON t.fingerprint = v.fingerprint AND t.receiver_id = v.receiver_id
 WHERE t.request_id <> $1
 ORDER BY t.opened_at, t.request_id, t.generation
 LIMIT {RELATED_MAX}
"""  # noqa: S608 (constants)

_HEALTH: Final = """
SELECT (SELECT count(*) FROM lane) AS lanes,
       (SELECT count(*) FROM lane WHERE expires_at > now()) AS lanes_leased,
       extract(epoch FROM now() - (SELECT min(created_at) FROM advice WHERE state = 1))::float8 AS oldest_queued_s,
       coalesce((SELECT json_object_agg(provider_id, fault) FROM provider_fault), '{}')::text AS faults,
       coalesce((SELECT json_object_agg(provider_id, why) FROM provider_shut WHERE why IS NOT NULL), '{}')::text
           AS shut,
       (SELECT extract(epoch FROM now() - finished_at)::float8 FROM invariant_check) AS invariants_checked_s,
       (SELECT coalesce(json_object_agg(f->>'name', jsonb_array_length(f->'rows')), '{}')::text
          FROM invariant_check, jsonb_array_elements(findings) AS f) AS invariants_broken
 LIMIT 1
"""


async def moment(connection: Connection) -> datetime:
    """The time of the snapshot."""
    now: datetime = await connection.fetchval("SELECT now()")
    return now


async def last_hour(connection: Connection) -> list[Count]:
    """Counts by state of the last sixty minutes: once by minute, once by provider."""
    return _rows(Count, await connection.fetch(_LAST_HOUR))


async def by_state(connection: Connection, start: datetime) -> dict[int, int]:
    """Counts by state of the day that begins then."""
    rows = await connection.fetch(_BY_STATE, start, start + timedelta(days=1))
    return {row["state"]: row["count"] for row in rows}


async def unresolved(connection: Connection) -> Unresolved:
    """How many outcomes nobody knows, since when, and what they may cost."""
    return _rows(Unresolved, await connection.fetch(_UNRESOLVED))[0]


async def at_risk(connection: Connection) -> Unresolved:
    """How many requests were reversed here and not at their provider, which takes no reversals, and what they cost."""
    return _rows(Unresolved, await connection.fetch(_AT_RISK))[0]


async def risks(connection: Connection) -> list[Advice]:
    """The reversals behind `at_risk`, the oldest first."""
    return _rows(Advice, await connection.fetch(_RISKS))


async def providers(connection: Connection) -> list[Provider]:
    """All providers by id."""
    return _rows(Provider, await connection.fetch(_PROVIDERS))


async def backlog(connection: Connection) -> dict[str | None, Backlog]:
    """What each provider is owed; a provider that is owed nothing is not in it."""
    return {row.provider_id: row for row in _rows(Backlog, await connection.fetch(_BACKLOG))}


async def owed(connection: Connection, provider_ids: list[str]) -> list[Advice]:
    """The oldest advices of each provider, parked first."""
    return _rows(Advice, await connection.fetch(_OWED, provider_ids))


async def transactions(connection: Connection, request_id: UUID) -> list[Transaction]:
    """All generations of an id, the newest first."""
    return _rows(Transaction, await connection.fetch(_TRANSACTIONS, request_id))


async def legs(connection: Connection, request_id: UUID) -> list[Leg]:
    """The trace of an id in order; one row more than LEGS_MAX says that there are more."""
    return _rows(Leg, await connection.fetch(_LEGS, request_id))


async def advices(connection: Connection, request_id: UUID) -> list[Advice]:
    """The advices of an id in the order they were accepted."""
    return _rows(Advice, await connection.fetch(_ADVICES, request_id))


async def refusals(connection: Connection, request_id: UUID) -> list[Refusal]:
    """What was refused under an id without making a record."""
    return _rows(Refusal, await connection.fetch(_REFUSALS, request_id))


async def resolutions(connection: Connection, request_id: UUID) -> list[Resolution]:
    """What operators settled by hand, the oldest first."""
    return _rows(Resolution, await connection.fetch(_RESOLUTIONS, request_id))


async def related(connection: Connection, request_id: UUID) -> list[Related]:
    """Other transactions on the same voucher, the oldest first."""
    return _rows(Related, await connection.fetch(_RELATED, request_id))


async def health(connection: Connection) -> asyncpg.Record:
    """Lanes, lanes leased, the age of the oldest queued advice in seconds, the providers' faults and why some
    are not asked now as JSON, and what the last check of the invariants found."""
    row = await connection.fetchrow(_HEALTH)
    assert row is not None
    return row


def _rows(kind: type[Row], records: list[asyncpg.Record]) -> list[Row]:
    return [kind(**dict(record)) for record in records]
