-- read_breakers --
-- Every provider's circuit breaker, with its moments as milliseconds from now: a process counts by its own clock.
SELECT provider_id, version, opened_at, reason,
       (extract(epoch FROM retry_at - clock_timestamp()) * 1000)::bigint AS retry_ms,
       (extract(epoch FROM probe_until - clock_timestamp()) * 1000)::bigint AS probe_ms
  FROM provider_breaker;

-- open_breaker --
-- Pass a provider over, for everybody: it failed again and again ($2: how). Each opening soon after the last one doubles
-- the cool-down, from $3 up to $4 milliseconds. No row: the breaker has changed since version $5, on which the evidence
-- was gathered; read it again.
INSERT INTO provider_breaker AS b (provider_id, reason, opened_at, openings, retry_at)
SELECT $1, $2, clock_timestamp(), 1, clock_timestamp() + $3::bigint * interval '1 millisecond'
ON CONFLICT (provider_id) DO UPDATE
   SET version = b.version + 1, reason = excluded.reason, opened_at = clock_timestamp(), probe_until = NULL,
       openings = CASE WHEN b.closed_at > clock_timestamp() - $4::bigint * interval '1 millisecond'
                       THEN b.openings + 1 ELSE 1 END,
       retry_at = clock_timestamp() + interval '1 millisecond'
                  * CASE WHEN b.closed_at > clock_timestamp() - $4::bigint * interval '1 millisecond'
                         THEN least($4::bigint, $3::bigint * 2 ^ least(b.openings, 30)) ELSE $3::bigint END
 WHERE b.opened_at IS NULL AND b.version = $5
RETURNING version;

-- claim_probe --
-- After the cool-down one call may try: this one, until $2 milliseconds from now. No row: it is too early, another's
-- probe is under way, or the breaker is closed.
UPDATE provider_breaker
   SET version = version + 1, probe_until = clock_timestamp() + $2::bigint * interval '1 millisecond'
 WHERE provider_id = $1 AND opened_at IS NOT NULL AND retry_at <= clock_timestamp()
   AND (probe_until IS NULL OR probe_until <= clock_timestamp())
RETURNING version;

-- release_probe --
-- The probe $2 proved nothing: the next call may try at once. No row: its claim was lost.
UPDATE provider_breaker SET version = version + 1, probe_until = NULL
 WHERE provider_id = $1 AND version = $2 AND opened_at IS NOT NULL
RETURNING version;

-- reopen_breaker --
-- The probe $2 failed ($3: how): pass the provider over for twice as long as before, from $4 up to $5 milliseconds.
-- No row: its claim was lost.
UPDATE provider_breaker
   SET version = version + 1, probe_until = NULL, reason = $3, openings = openings + 1,
       retry_at = clock_timestamp() + interval '1 millisecond' * least($5::bigint, $4::bigint * 2 ^ least(openings, 30))
 WHERE provider_id = $1 AND version = $2 AND opened_at IS NOT NULL
RETURNING version;

-- close_breaker --
-- Send to the provider again: the probe $2 succeeded, or ($2 NULL) an operator says so. No row: it is closed already,
-- or the probe lost its claim.
UPDATE provider_breaker
   SET version = version + 1, opened_at = NULL, retry_at = NULL, probe_until = NULL, closed_at = clock_timestamp()
 WHERE provider_id = $1 AND opened_at IS NOT NULL AND ($2::bigint IS NULL OR version = $2)
RETURNING version;
