-- due_resolutions --
-- Open requests that the resolver should look at now, by provider and at most so many of each, the longest due first.
SELECT t.request_id, t.generation, t.provider_id, t.resolve_at, t.resolve_attempts
  FROM unnest($1::text[], $2::integer[]) AS p (provider_id, places)
  CROSS JOIN LATERAL (
      SELECT *
        FROM transaction AS o
       WHERE o.provider_id = p.provider_id AND o.state IN (1, 4) AND o.resolve_at <= clock_timestamp()
       ORDER BY o.resolve_at
       LIMIT p.places
  ) AS t;

-- postpone_resolution --
-- Nothing can be done about an open request for so long. No row: it was decided, or put off by somebody else, meanwhile.
UPDATE transaction
   SET resolve_at = clock_timestamp() + $3::bigint * interval '1 millisecond'
 WHERE request_id = $1 AND generation = $2 AND state IN (1, 4) AND resolve_at = $4
RETURNING request_id;

-- lapsed_approvals --
-- Approvals that their provider held for the confirmation until a moment that is past; the moment is UTC, as text.
SELECT request_id, generation, provider_id
  FROM transaction
 WHERE state = 2 AND refs ? 'reservedUntil'
   AND refs ->> 'reservedUntil' <= to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"')
 ORDER BY refs ->> 'reservedUntil'
 LIMIT $1;

-- record_resolution --
-- Who settled an unknown outcome by hand, as what and why; in the transaction that settles it.
INSERT INTO resolution (request_id, generation, resolved_by, from_state, to_state, reason, evidence)
VALUES ($1, $2, $3, $4, $5, $6, $7);

-- report_resolutions --
-- What operators settled by hand of some requests, in the order in which they did.
SELECT request_id, generation, resolved_at, resolved_by, from_state, to_state, reason, evidence
  FROM resolution
 WHERE request_id = ANY ($1::uuid[])
 ORDER BY resolution_id;
