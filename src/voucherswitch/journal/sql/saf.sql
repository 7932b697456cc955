-- make_lanes --
-- Every provider has its lanes; new providers get theirs here.
INSERT INTO lane (provider_id, lane)
SELECT p.provider_id, n FROM provider AS p CROSS JOIN generate_series(0, $1::integer - 1) AS n
ON CONFLICT DO NOTHING;

-- lease_lanes --
-- Renew up to $3 of the lanes this holder has, give back the rest, and take over free ones up to $3 in all.
-- The token fences off the holder before.
WITH held AS (
    SELECT provider_id, lane, row_number() OVER (ORDER BY provider_id, lane) <= $3::integer AS kept
      FROM lane
     WHERE holder = $1 AND expires_at > clock_timestamp()
), given_back AS (
    UPDATE lane AS l
       SET expires_at = '-infinity', holder = NULL
      FROM held AS h
     WHERE NOT h.kept AND l.provider_id = h.provider_id AND l.lane = h.lane AND l.holder = $1
), mine AS (
    UPDATE lane AS l
       SET expires_at = clock_timestamp() + $2::integer * interval '1 second'
      FROM held AS h
     WHERE h.kept AND l.provider_id = h.provider_id AND l.lane = h.lane AND l.holder = $1
    RETURNING l.provider_id, l.lane, l.token
), free AS (
    SELECT provider_id, lane
      FROM lane
     WHERE expires_at <= clock_timestamp()
     ORDER BY provider_id, lane
     LIMIT greatest(0, $3::integer - (SELECT count(*) FROM mine))
       FOR UPDATE
), taken AS (
    UPDATE lane AS l
       SET holder = $1, token = l.token + 1, expires_at = clock_timestamp() + $2::integer * interval '1 second'
      FROM free AS f
     WHERE l.provider_id = f.provider_id AND l.lane = f.lane AND l.expires_at <= clock_timestamp()
    RETURNING l.provider_id, l.lane, l.token
)
SELECT provider_id, lane, token FROM mine UNION ALL SELECT provider_id, lane, token FROM taken;

-- release_lanes --
-- Give all lanes back at once when a worker stops, so that nobody waits for the lease to run out.
UPDATE lane SET expires_at = '-infinity', holder = NULL WHERE holder = $1;

-- advice_due --
-- Whether anything of a provider may be sent now in this worker's lanes: asked before a probe of it is claimed.
SELECT EXISTS (
    SELECT 1 FROM advice
     WHERE provider_id = $1 AND lane = ANY ($2::smallint[]) AND state = 1
       AND next_attempt_at <= (SELECT clock_timestamp())
       AND (not_before IS NULL OR not_before <= clock_timestamp())
       AND (sending_until IS NULL OR sending_until <= clock_timestamp())
);

-- claim_advices --
-- Take up to $4 of what may be sent now to a provider, the longest due first, and count the attempt before the first
-- byte leaves. Only a lane's present holder may (fencing), and only if nobody else is sending it; the oldest of a
-- request goes first. What does not come back is not ours to send.
-- The queue is read from its head, as far as is asked for, however long it is: the moment is asked for once, because
-- an index is not searched by what may change from row to row.
WITH due AS MATERIALIZED (
    SELECT request_id, generation, advice_id
      FROM advice
     WHERE provider_id = $1 AND lane = ANY ($2::smallint[]) AND state = 1
       AND next_attempt_at <= (SELECT clock_timestamp())
       AND (not_before IS NULL OR not_before <= clock_timestamp())
       AND (sending_until IS NULL OR sending_until <= clock_timestamp())
     ORDER BY next_attempt_at
     LIMIT $4::integer
), claimed AS (
    UPDATE advice AS a
       SET attempts = a.attempts + 1, sending_until = clock_timestamp() + $5::integer * interval '1 millisecond'
      FROM due AS d, lane AS l, unnest($2::smallint[], $3::bigint[]) AS h (lane, token)
     WHERE a.request_id = d.request_id AND a.generation = d.generation AND a.advice_id = d.advice_id
       AND a.state = 1 AND (a.sending_until IS NULL OR a.sending_until <= clock_timestamp())
       AND h.lane = a.lane
       AND l.provider_id = a.provider_id AND l.lane = a.lane AND l.token = h.token AND l.expires_at > clock_timestamp()
       AND NOT EXISTS (SELECT 1 FROM advice AS earlier
                        WHERE earlier.request_id = a.request_id AND earlier.generation = a.generation
                          AND earlier.state = 1 AND earlier.seq < a.seq)
    RETURNING a.*
)
SELECT c.request_id, c.generation, c.advice_id, c.kind, c.request_kind, c.provider_id, c.reason, c.amount_cents,
       c.attempts, t.provider_product, c.by_switch, t.voucher_serial, t.refs, t.request, t.answer,
       (extract(epoch FROM clock_timestamp() - coalesce(t.call_ended_at, t.call_until, t.opened_at)) * 1000)::bigint AS settled_ms
  FROM claimed AS c
  JOIN transaction AS t ON t.request_id = c.request_id AND t.generation = c.generation;

-- claim_advice_now --
-- The same for one advice that a later request on its voucher waits for (A6): without the lane, never before its time.
WITH claimed AS (
    UPDATE advice AS a
       SET attempts = a.attempts + 1, sending_until = clock_timestamp() + $4::integer * interval '1 millisecond'
     WHERE a.request_id = $1 AND a.generation = $2 AND a.advice_id = $3
       AND a.state = 1 AND (a.sending_until IS NULL OR a.sending_until <= clock_timestamp())
       AND (a.not_before IS NULL OR a.not_before <= clock_timestamp())
    RETURNING a.*
)
SELECT c.request_id, c.generation, c.advice_id, c.kind, c.request_kind, c.provider_id, c.reason, c.amount_cents,
       c.attempts, t.provider_product, c.by_switch, t.voucher_serial, t.refs, t.request, t.answer,
       (extract(epoch FROM clock_timestamp() - coalesce(t.call_ended_at, t.call_until, t.opened_at)) * 1000)::bigint AS settled_ms
  FROM claimed AS c
  JOIN transaction AS t ON t.request_id = c.request_id AND t.generation = c.generation;

-- finish_advices --
-- Record what came of an attempt and keep its trace. Guarded by the attempt's number: a sender that lost its claim
-- long ago changes nothing.
WITH d AS (
    SELECT *
      FROM unnest($1::uuid[], $2::uuid[], $3::smallint[], $4::integer[], $5::smallint[], $6::bigint[], $7::text[])
           AS d (advice_id, request_id, generation, attempts, to_state, delay_ms, error)
), finished AS (
    UPDATE advice AS a
       SET state = d.to_state,
           sending_until = NULL,
           next_attempt_at = clock_timestamp() + d.delay_ms * interval '1 millisecond',
           last_error = d.error,
           finished_at = CASE WHEN d.to_state = 1 THEN NULL ELSE clock_timestamp() END
      FROM d
     WHERE a.request_id = d.request_id AND a.generation = d.generation AND a.advice_id = d.advice_id
       AND a.state = 1 AND a.attempts = d.attempts
    RETURNING a.advice_id
), traced AS (
    INSERT INTO leg (request_id, generation, advice_id, direction, peer, operation, started_at, duration_us,
                     outcome, status, request, response, error)
    SELECT *
      FROM unnest($8::uuid[], $9::smallint[], $10::uuid[], $11::smallint[], $12::text[], $13::text[],
                  $14::timestamptz[], $15::integer[], $16::smallint[], $17::smallint[], $18::text[], $19::text[],
                  $20::text[])
)
SELECT advice_id FROM finished;

-- resend_advices --
-- An operator sends parked advices again, now.
UPDATE advice SET state = 1, next_attempt_at = clock_timestamp(), finished_at = NULL, sending_until = NULL
 WHERE advice_id = ANY ($1::uuid[]) AND state IN (1, 4)
   AND (sending_until IS NULL OR sending_until <= clock_timestamp())
RETURNING advice_id;
