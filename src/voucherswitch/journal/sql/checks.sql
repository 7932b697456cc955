-- claim_invariant_check --
-- Take the right to check the invariants, for $2 seconds at most, if the last check began $1 seconds ago or earlier.
-- No row: another worker is at it, or was a moment ago. A clock that was set back leaves nobody waiting for it.
UPDATE invariant_check
   SET started_at = clock_timestamp(), claimed_until = clock_timestamp() + $2::integer * interval '1 second'
 WHERE NOT (claimed_until > clock_timestamp()
            AND claimed_until <= clock_timestamp() + $2::integer * interval '1 second')
   AND (started_at <= clock_timestamp() - $1::integer * interval '1 second' OR started_at > clock_timestamp())
RETURNING started_at, least(checked_to, clock_timestamp()) AS checked_to, findings;

-- record_invariant_check --
-- Keep what a check found and how far it has come. No row: the claim ran out, and somebody else checks.
UPDATE invariant_check
   SET finished_at = clock_timestamp(), claimed_until = '-infinity', checked_to = $2, findings = $3::jsonb,
       duration_ms = (extract(epoch FROM clock_timestamp() - started_at) * 1000)::integer
 WHERE started_at = $1
RETURNING true;

-- release_invariant_check --
-- Give the right back when a check could not be ended.
UPDATE invariant_check SET claimed_until = '-infinity' WHERE started_at = $1;

-- read_invariant_check --
-- What the last check found, and when; the age by the database's clock.
SELECT finished_at, duration_ms, checked_to, findings, extract(epoch FROM clock_timestamp() - finished_at)::float8 AS age_s
  FROM invariant_check;

-- count_unresolved --
-- Requests whose outcome is unknown and whose call is over, up to a bound, with what they are worth.
SELECT count(*) AS requests, coalesce(sum(amount_cents), 0)::bigint AS cents
  FROM (SELECT amount_cents FROM transaction
         WHERE state IN (1, 4) AND (call_until IS NULL OR call_until <= clock_timestamp())
         LIMIT $1) AS unresolved;
