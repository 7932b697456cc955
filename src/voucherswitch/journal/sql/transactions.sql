-- open_transactions --
-- Make a provision durable before a byte leaves for its provider.
-- A key that does not come back is taken: read the record and answer by its state.
INSERT INTO transaction (request_id, kind, state, originator_id, single, receiver_id, product_id, provider_id,
                         provider_product, merchant_id, terminal_id, amount_cents, currency, request,
                         opening, call_until, resolve_at, worker_id)
SELECT request_id, 1, 1, originator_id, single, receiver_id, product_id, provider_id,
       provider_product, merchant_id, terminal_id, amount_cents, currency, request, opening,
       clock_timestamp() + call_ms * interval '1 millisecond',
       clock_timestamp() + call_ms * interval '1 millisecond', worker_id
  FROM unnest($1::uuid[], $2::text[], $3::boolean[], $4::text[], $5::text[], $6::text[],
              $7::text[], $8::text[], $9::text[], $10::bigint[], $11::text[], $12::bytea[], $13::bigint[],
              $14::integer[], $15::bigint[])
       AS d (request_id, originator_id, single, receiver_id, product_id, provider_id,
             provider_product, merchant_id, terminal_id, amount_cents, currency, request, opening,
             call_ms, worker_id)
ON CONFLICT (request_id, generation) DO NOTHING
RETURNING request_id, reference;

-- open_movements --
-- Claim the voucher and make a redemption or refund durable, both or neither: one open movement per voucher (X4).
-- A key that does not come back found the voucher taken or in another state, or a refund that was judged before another
-- one went through (F5): read both and answer by what they hold.
-- A taken id raises unique_violation, on purpose: it undoes the claim.
WITH d AS (
    SELECT *
      FROM unnest($1::uuid[], $2::smallint[], $3::smallint[], $4::text[], $5::boolean[], $6::text[], $7::text[],
                  $8::text[], $9::text[], $10::text[], $11::bigint[], $12::text[], $13::bytea[], $14::bytea[],
                  $15::bigint[], $16::integer[], $17::uuid[], $18::smallint[], $19::integer[], $20::bigint[],
                  $21::uuid[], $22::smallint[])
           AS d (request_id, generation, kind, originator_id, single, receiver_id, provider_id,
                 provider_product, merchant_id, terminal_id, amount_cents, currency, fingerprint, request,
                 opening, call_ms, redemption_id, redemption_generation, voucher_states, worker_id, last_refund_id,
                 last_refund_generation)
), claimed AS (
    UPDATE voucher AS v
       SET open_id = d.request_id, open_generation = d.generation, changed_at = clock_timestamp()
      FROM d
     WHERE v.fingerprint = d.fingerprint AND v.receiver_id = d.receiver_id
       AND v.open_id IS NULL AND (d.voucher_states >> v.state) & 1 = 1
       AND (d.kind = 2 OR (v.refund_id, v.refund_generation)
                          IS NOT DISTINCT FROM (d.last_refund_id, d.last_refund_generation))
    RETURNING d.request_id
), looked_up AS (
    DELETE FROM voucher_lookup AS l
     USING d JOIN claimed USING (request_id)
     WHERE d.kind = 2 AND l.fingerprint = d.fingerprint AND l.receiver_id = d.receiver_id
       AND l.originator_id = d.originator_id
)
INSERT INTO transaction (request_id, generation, kind, state, originator_id, single, receiver_id, provider_id,
                         provider_product, merchant_id, terminal_id, amount_cents, currency,
                         fingerprint, request, opening, call_until, resolve_at, redemption_id,
                         redemption_generation, worker_id)
SELECT request_id, generation, kind, 1, originator_id, single, receiver_id, provider_id,
       provider_product, merchant_id, terminal_id, amount_cents, currency, fingerprint, request, opening,
       clock_timestamp() + call_ms * interval '1 millisecond',
       clock_timestamp() + call_ms * interval '1 millisecond', redemption_id, redemption_generation, worker_id
  FROM d JOIN claimed USING (request_id)
RETURNING request_id, reference;

-- reroute_transactions --
-- Name the next route's provider, and the amount it is asked for, before it is asked; allowed only after the last one
-- provably heard nothing. A key that does not come back was closed meanwhile: send nothing.
UPDATE transaction AS t
   SET provider_id = d.provider_id, provider_product = d.provider_product, amount_cents = d.amount_cents,
       changed_at = clock_timestamp()
  FROM unnest($1::uuid[], $2::smallint[], $3::text[], $4::text[], $5::bigint[])
       AS d (request_id, generation, provider_id, provider_product, amount_cents)
 WHERE t.request_id = d.request_id AND t.generation = d.generation AND t.state = 1
RETURNING t.request_id;

-- approve_provisions --
-- Record approvals of provisions in dual messaging, told in time: most of a switch's work ends in one. They touch no
-- voucher, owe no advice and overtake nobody; without what others need, the database takes a quarter less time for them.
-- A key that does not come back was not changed, and no trace was kept: it is for close_transactions.
WITH d AS (
    SELECT *
      FROM unnest($1::uuid[], $2::bigint[], $3::bytea[], $4::text[], $5::text[], $6::jsonb[], $7::bytea[],
                  $8::smallint[], $9::bigint[])
           AS d (request_id, approved_cents, fingerprint, voucher_serial, provider_ref, refs, answer, answered_status,
                 worker_id)
), closed AS (
    UPDATE transaction AS t
       SET state = 2,
           approved_cents = d.approved_cents,
           fingerprint = d.fingerprint,
           voucher_serial = d.voucher_serial,
           provider_ref = d.provider_ref,
           refs = coalesce(d.refs, t.refs),
           answer = d.answer,
           answered_status = d.answered_status,
           call_until = NULL,
           call_ended_at = clock_timestamp(),
           changed_at = clock_timestamp()
      FROM d
     WHERE t.request_id = d.request_id AND t.generation = 0 AND t.state = 1 AND t.kind = 1
       AND t.worker_id = d.worker_id
    RETURNING t.request_id
), traced AS (
    INSERT INTO leg (request_id, generation, advice_id, direction, peer, operation, started_at, duration_us,
                     outcome, status, request, response, error)
    SELECT *
      FROM unnest($10::uuid[], $11::smallint[], $12::uuid[], $13::smallint[], $14::text[], $15::text[],
                  $16::timestamptz[], $17::integer[], $18::smallint[], $19::smallint[], $20::text[], $21::text[],
                  $22::text[])
           AS l (request_id, generation, advice_id, direction, peer, operation, started_at, duration_us,
                 outcome, status, request, response, error)
     WHERE l.request_id IN (SELECT request_id FROM closed)
)
SELECT request_id FROM closed;

-- close_transactions --
-- Record what a provider's answer made of a request, with the voucher's new state, the advice it owes and its trace.
-- A key that does not come back was decided by somebody else: re-read it, never force. Its late answer and what was
-- exchanged with the provider are kept all the same (the originator hears another answer, with a leg of its own), and a
-- reversal that waited for the call to end may go now (X3). Only the call of the worker that writes is over by it: one
-- that was taken for dead meanwhile must not end the call of the worker that asks now.
WITH d AS (
    SELECT *
      FROM unnest($1::uuid[], $2::smallint[], $3::integer[], $4::smallint[], $5::bigint[], $6::bigint[], $7::bytea[],
                  $8::text[], $9::text[], $10::jsonb[], $11::bytea[], $12::jsonb[], $13::text[], $14::smallint[],
                  $15::boolean[], $16::smallint[], $17::smallint[], $18::uuid[], $19::bigint[])
           AS d (request_id, generation, from_states, to_state, approved_cents, balance_cents, fingerprint,
                 voucher_serial, provider_ref, refs, answer, error, alert, answered_status,
                 call_ended, voucher_action, voucher_to, advice_id, worker_id)
), closed AS (
    UPDATE transaction AS t
       SET state = d.to_state,
           approved_cents = coalesce(d.approved_cents, t.approved_cents),
           balance_cents = coalesce(d.balance_cents, t.balance_cents),
           fingerprint = coalesce(d.fingerprint, t.fingerprint),
           voucher_serial = coalesce(d.voucher_serial, t.voucher_serial),
           provider_ref = coalesce(d.provider_ref, t.provider_ref),
           refs = coalesce(d.refs, t.refs),
           answer = coalesce(d.answer, t.answer),
           error = d.error,
           alert = d.alert,
           answered_status = coalesce(d.answered_status, t.answered_status),
           confirmation_id = CASE WHEN d.to_state = 5 THEN d.advice_id ELSE t.confirmation_id END,
           reversal_id = CASE WHEN d.to_state = 6 THEN d.advice_id ELSE t.reversal_id END,
           call_until = CASE WHEN d.call_ended AND t.worker_id = d.worker_id THEN NULL ELSE t.call_until END,
           call_ended_at = CASE WHEN d.call_ended AND t.worker_id = d.worker_id
                                THEN coalesce(t.call_ended_at, clock_timestamp()) ELSE t.call_ended_at END,
           resolve_at = CASE WHEN d.to_state = 4 AND d.call_ended THEN clock_timestamp() + interval '1 second'
                             ELSE t.resolve_at END,
           changed_at = clock_timestamp()
      FROM d
     WHERE t.request_id = d.request_id AND t.generation = d.generation AND (d.from_states >> t.state) & 1 = 1
    RETURNING t.request_id, t.generation, t.kind, t.receiver_id, t.fingerprint, t.originator_id
), overtaken AS (
    UPDATE transaction AS t
       SET call_until = CASE WHEN t.worker_id = d.worker_id THEN NULL ELSE t.call_until END,
           call_ended_at = CASE WHEN t.worker_id = d.worker_id THEN coalesce(t.call_ended_at, clock_timestamp())
                                ELSE t.call_ended_at END,
           approved_cents = coalesce(d.approved_cents, t.approved_cents),
           fingerprint = coalesce(d.fingerprint, t.fingerprint),
           voucher_serial = coalesce(d.voucher_serial, t.voucher_serial),
           provider_ref = coalesce(d.provider_ref, t.provider_ref),
           refs = coalesce(d.refs, t.refs),
           answer = coalesce(d.answer, t.answer)
      FROM d
     WHERE d.call_ended
       AND t.request_id = d.request_id AND t.generation = d.generation
       AND t.state = 6 AND t.has_request AND (d.from_states >> t.state) & 1 = 0
    RETURNING t.request_id, t.generation, t.worker_id = d.worker_id AS ended, d.answer IS NOT NULL AS approved
), released AS (
    UPDATE advice AS a
       SET not_before = NULL, next_attempt_at = clock_timestamp()
      FROM overtaken AS o
     WHERE o.ended AND a.request_id = o.request_id AND a.generation = o.generation
       AND a.state = 1 AND a.not_before IS NOT NULL
), repeated AS (
    UPDATE advice AS a
       SET state = 1, next_attempt_at = clock_timestamp(), finished_at = NULL,
           last_error = 'the provider approved what it undoes after it'
      FROM overtaken AS o
     WHERE o.approved AND a.request_id = o.request_id AND a.generation = o.generation
       AND a.state = 2 AND a.kind = 2
), bound AS (
    INSERT INTO voucher AS v (fingerprint, receiver_id, state, provision_id)
    SELECT c.fingerprint, c.receiver_id, 1, c.request_id
      FROM closed AS c JOIN d USING (request_id, generation)
     WHERE d.voucher_action = 1
    ON CONFLICT (fingerprint, receiver_id) DO UPDATE
       SET state = 1, state_before = NULL, provision_id = excluded.provision_id, provider_id = NULL,
           provider_product = NULL, redemption_id = NULL,
           redemption_generation = NULL, refund_id = NULL, refund_generation = NULL, open_id = NULL,
           open_generation = NULL, changed_at = clock_timestamp()
), moved AS (
    UPDATE voucher AS v
       SET state = CASE WHEN d.voucher_to = 0 THEN v.state ELSE d.voucher_to END,
           state_before = CASE WHEN c.kind = 3 AND d.voucher_to > 0 THEN v.state ELSE v.state_before END,
           redemption_id = CASE WHEN c.kind = 2 AND d.voucher_to > 0 THEN c.request_id ELSE v.redemption_id END,
           redemption_generation = CASE WHEN c.kind = 2 AND d.voucher_to > 0 THEN c.generation
                                        ELSE v.redemption_generation END,
           refund_id = CASE WHEN c.kind = 3 AND d.voucher_to > 0 THEN c.request_id ELSE v.refund_id END,
           refund_generation = CASE WHEN c.kind = 3 AND d.voucher_to > 0 THEN c.generation
                                    ELSE v.refund_generation END,
           open_id = NULL,
           open_generation = NULL,
           changed_at = clock_timestamp()
      FROM closed AS c JOIN d USING (request_id, generation)
     WHERE d.voucher_action = 2
       AND v.fingerprint = c.fingerprint AND v.receiver_id = c.receiver_id
       AND v.open_id = c.request_id AND v.open_generation = c.generation
), owed AS (
    INSERT INTO advice (request_id, generation, advice_id, kind, request_kind, state, by_switch, originator_id,
                        provider_id, lane, fingerprint, reason, next_attempt_at, finished_at)
    SELECT c.request_id, c.generation, o.advice_id, o.kind, c.kind, o.state, true, c.originator_id,
           o.provider_id, o.lane, c.fingerprint, o.reason, clock_timestamp() + o.delay_ms * interval '1 millisecond',
           CASE WHEN o.state = 1 THEN NULL ELSE clock_timestamp() END
      FROM closed AS c
      JOIN unnest($20::uuid[], $21::smallint[], $22::uuid[], $23::smallint[], $24::smallint[], $25::text[],
                  $26::smallint[], $27::text[], $28::integer[])
           AS o (request_id, generation, advice_id, kind, state, provider_id, lane, reason, delay_ms)
     USING (request_id, generation)
), traced AS (
    INSERT INTO leg (request_id, generation, advice_id, direction, peer, operation, started_at, duration_us,
                     outcome, status, request, response, error)
    SELECT *
      FROM unnest($29::uuid[], $30::smallint[], $31::uuid[], $32::smallint[], $33::text[], $34::text[],
                  $35::timestamptz[], $36::integer[], $37::smallint[], $38::smallint[], $39::text[], $40::text[],
                  $41::text[])
           AS l (request_id, generation, advice_id, direction, peer, operation, started_at, duration_us,
                 outcome, status, request, response, error)
     WHERE l.direction = 2 OR (l.request_id, l.generation) IN (SELECT request_id, generation FROM closed)
)
SELECT request_id FROM closed;

-- claim_calls --
-- Take the right to ask the provider again about a request whose outcome is unknown, until the call's own deadline.
-- A question alone cannot create anything: what "not found" proves still counts from the last call that could.
-- A key that does not come back is being asked about by somebody else, or is decided. Past its deadline a call is over
-- only if its worker said so, or is dead: a worker that lives may still have its answer to write.
UPDATE transaction AS t
   SET call_until = clock_timestamp() + d.call_ms * interval '1 millisecond',
       call_ended_at = CASE WHEN d.asks_only THEN coalesce(t.call_ended_at, t.call_until, t.opened_at) END,
       resolve_at = clock_timestamp() + d.call_ms * interval '1 millisecond',
       worker_id = d.worker_id, changed_at = clock_timestamp()
  FROM unnest($1::uuid[], $2::smallint[], $3::integer[], $4::bigint[], $5::boolean[])
       AS d (request_id, generation, call_ms, worker_id, asks_only)
 WHERE t.request_id = d.request_id AND t.generation = d.generation AND t.state IN (1, 4)
   AND (t.call_until IS NULL OR (t.call_until <= clock_timestamp() AND NOT worker_lives(t.worker_id)))
RETURNING t.request_id;

-- end_calls --
-- Give the right back when the provider's answer decided nothing, and keep the trace. A key that does not come back is
-- asked about by another worker, which took this one for dead.
WITH ended AS (
    UPDATE transaction AS t
       SET call_until = NULL, call_ended_at = coalesce(t.call_ended_at, clock_timestamp()), alert = coalesce(d.alert, t.alert),
           refs = coalesce(d.refs, t.refs),
           resolve_at = clock_timestamp() + d.resolve_in_ms * interval '1 millisecond',
           resolve_attempts = t.resolve_attempts + d.asked
      FROM unnest($1::uuid[], $2::smallint[], $3::text[], $4::jsonb[], $5::bigint[], $6::bigint[],
                  $7::integer[])
           AS d (request_id, generation, alert, refs, worker_id, resolve_in_ms, asked)
     WHERE t.request_id = d.request_id AND t.generation = d.generation AND t.worker_id = d.worker_id
    RETURNING t.request_id, t.generation, t.state
), released AS (
    UPDATE advice AS a
       SET not_before = NULL, next_attempt_at = clock_timestamp()
      FROM ended AS e
     WHERE e.state = 6 AND a.request_id = e.request_id AND a.generation = e.generation
       AND a.state = 1 AND a.not_before IS NOT NULL
), traced AS (
    INSERT INTO leg (request_id, generation, advice_id, direction, peer, operation, started_at, duration_us,
                     outcome, status, request, response, error)
    SELECT *
      FROM unnest($8::uuid[], $9::smallint[], $10::uuid[], $11::smallint[], $12::text[], $13::text[],
                  $14::timestamptz[], $15::integer[], $16::smallint[], $17::smallint[], $18::text[], $19::text[],
                  $20::text[])
)
SELECT request_id FROM ended;

-- record_legs --
-- Keep the trace of messages that change no record: lookups, repeats, refusals that leave nothing else behind.
WITH traced AS (
    INSERT INTO leg (request_id, generation, advice_id, direction, peer, operation, started_at, duration_us,
                     outcome, status, request, response, error)
    SELECT *
      FROM unnest($2::uuid[], $3::smallint[], $4::uuid[], $5::smallint[], $6::text[], $7::text[],
                  $8::timestamptz[], $9::integer[], $10::smallint[], $11::smallint[], $12::text[], $13::text[],
                  $14::text[])
)
SELECT unnest($1::uuid[]);

-- record_refusals --
-- Keep what was refused before a record was made: lookupRedemption repeats it (K2), operators ask for it.
WITH refused AS (
    INSERT INTO refusal (request_id, originator_id, kind, operation, error)
    SELECT * FROM unnest($1::uuid[], $2::text[], $3::smallint[], $4::text[], $5::jsonb[])
    RETURNING request_id
), traced AS (
    INSERT INTO leg (request_id, generation, advice_id, direction, peer, operation, started_at, duration_us,
                     outcome, status, request, response, error)
    SELECT *
      FROM unnest($6::uuid[], $7::smallint[], $8::uuid[], $9::smallint[], $10::text[], $11::text[],
                  $12::timestamptz[], $13::integer[], $14::smallint[], $15::smallint[], $16::text[], $17::text[],
                  $18::text[])
)
SELECT request_id FROM refused;

-- read_records --
-- The newest record of each id, with whether the switch's own confirmation is still unsent (A10).
SELECT t.request_id, t.generation, t.reference, t.kind, t.state, t.has_request, t.originator_id, t.single, t.receiver_id,
       t.product_id, t.provider_id, t.provider_product, t.amount_cents, t.currency, t.approved_cents, t.balance_cents,
       t.fingerprint, t.voucher_serial, t.provider_ref, t.refs, t.request, t.answer, t.error, t.alert,
       t.answered_status, t.redemption_id, t.redemption_generation, t.confirmation_id, t.reversal_id, t.opening,
       t.opened_at, (extract(epoch FROM clock_timestamp() - t.opened_at) * 1000)::bigint AS age_ms,
       (extract(epoch FROM clock_timestamp() - coalesce(t.call_ended_at, t.call_until, t.opened_at)) * 1000)::bigint AS settled_ms,
       t.changed_at, t.worker_id,
       t.call_until > clock_timestamp() OR (t.call_until IS NOT NULL AND worker_lives(t.worker_id)) AS call_running,
       coalesce(own.by_switch, t.archived_in IS NOT NULL AND t.single) AS by_switch, own.unsent,
       t.archived_in IS NOT NULL AS archived
  FROM (SELECT DISTINCT unnest($1::uuid[]) AS request_id) AS d
  CROSS JOIN LATERAL (
      SELECT * FROM transaction AS t WHERE t.request_id = d.request_id ORDER BY generation DESC LIMIT 1
  ) AS t
  LEFT JOIN LATERAL (
      SELECT a.by_switch, (a.state = 1 AND a.attempts = 0) AS unsent
        FROM advice AS a
       WHERE t.state = 5 AND a.request_id = t.request_id AND a.generation = t.generation
         AND a.advice_id = t.confirmation_id
  ) AS own ON true;

-- read_redemptions --
-- The newest redemption of each id on this voucher, and how much of it refunds have given back or may have.
SELECT r.request_id, r.fingerprint, r.generation, r.state, r.provider_ref, r.refs, r.approved_cents,
       (SELECT coalesce(sum(coalesce(f.approved_cents, f.amount_cents)), 0)::bigint
          FROM transaction AS f
         WHERE f.fingerprint = r.fingerprint AND f.kind = 3 AND f.state IN (1, 2, 4, 5)
           AND f.redemption_id = r.request_id AND f.redemption_generation = r.generation) AS refunded_cents
  FROM unnest($1::uuid[], $2::bytea[]) AS d (request_id, fingerprint)
  CROSS JOIN LATERAL (
      SELECT *
        FROM transaction AS t
       WHERE t.request_id = d.request_id AND t.fingerprint = d.fingerprint AND t.kind = 2
       ORDER BY generation DESC
       LIMIT 1
  ) AS r;
