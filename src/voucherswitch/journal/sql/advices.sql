-- advise --
-- Accept a confirmation or reversal: the record's state, the voucher's state and the entry to deliver, all or none (A2).
-- A key that does not come back lost a race, be it only that another provider is asked now: read the record and judge
-- again, because the advice goes to the provider that was read.
WITH d AS (
    SELECT *
      FROM unnest($1::uuid[], $2::smallint[], $3::text[], $4::integer[], $5::smallint[], $6::uuid[], $7::smallint[],
                  $8::smallint[], $9::text[], $10::smallint[], $11::text[], $12::bigint[], $13::boolean[],
                  $14::smallint[], $15::smallint[])
           AS d (request_id, generation, originator_id, from_states, to_state, advice_id, advice_kind,
                 advice_state, provider_id, lane, reason, amount_cents, replaces_own,
                 voucher_action, voucher_to)
), replaced AS (
    UPDATE advice AS a
       SET state = 5, finished_at = clock_timestamp()
      FROM d
     WHERE d.replaces_own
       AND a.request_id = d.request_id AND a.generation = d.generation
       AND a.kind = 1 AND a.by_switch AND a.state = 1 AND a.attempts = 0
    RETURNING a.request_id
), changed AS (
    UPDATE transaction AS t
       SET state = d.to_state,
           confirmation_id = CASE WHEN d.advice_kind = 1 THEN d.advice_id ELSE t.confirmation_id END,
           reversal_id = CASE WHEN d.advice_kind = 2 THEN d.advice_id ELSE t.reversal_id END,
           changed_at = clock_timestamp()
      FROM d
     WHERE t.request_id = d.request_id AND t.generation = d.generation AND t.originator_id = d.originator_id
       AND t.has_request AND coalesce(t.provider_id, '') = d.provider_id
       AND CASE WHEN d.replaces_own THEN t.state = 5 AND d.request_id IN (SELECT request_id FROM replaced)
                ELSE (d.from_states >> t.state) & 1 = 1 END
    RETURNING t.request_id, t.generation, t.kind, t.receiver_id, t.fingerprint, t.originator_id, t.call_until
), queued AS (
    INSERT INTO advice (request_id, generation, advice_id, kind, request_kind, state, originator_id, provider_id,
                        lane, fingerprint, reason, amount_cents, not_before, next_attempt_at, finished_at)
    SELECT c.request_id, c.generation, d.advice_id, d.advice_kind, c.kind, d.advice_state, c.originator_id,
           d.provider_id, d.lane, c.fingerprint, d.reason, d.amount_cents,
           CASE WHEN c.call_until > clock_timestamp() THEN c.call_until END,
           greatest(clock_timestamp(), c.call_until),
           CASE WHEN d.advice_state = 1 THEN NULL ELSE clock_timestamp() END
      FROM changed AS c JOIN d USING (request_id, generation)
), bound AS (
    INSERT INTO voucher AS v (fingerprint, receiver_id, state, provision_id)
    SELECT c.fingerprint, c.receiver_id, 1, c.request_id
      FROM changed AS c JOIN d USING (request_id, generation)
     WHERE d.voucher_action = 1
    ON CONFLICT (fingerprint, receiver_id) DO UPDATE
       SET state = 1, state_before = NULL, provision_id = excluded.provision_id, provider_id = NULL,
           provider_product = NULL, redemption_id = NULL,
           redemption_generation = NULL, refund_id = NULL, refund_generation = NULL, open_id = NULL,
           open_generation = NULL, changed_at = clock_timestamp()
), moved AS (
    UPDATE voucher AS v
       SET state = CASE d.voucher_to WHEN 0 THEN v.state WHEN -1 THEN coalesce(v.state_before, v.state)
                                     ELSE d.voucher_to END,
           open_id = CASE WHEN v.open_id = c.request_id AND v.open_generation = c.generation THEN NULL
                          ELSE v.open_id END,
           changed_at = clock_timestamp()
      FROM changed AS c JOIN d USING (request_id, generation)
     WHERE d.voucher_action = 2
       AND v.fingerprint = c.fingerprint AND v.receiver_id = c.receiver_id
       AND (   (v.open_id = c.request_id AND v.open_generation = c.generation)
            OR (c.kind = 2 AND v.redemption_id = c.request_id AND v.redemption_generation = c.generation)
            OR (c.kind = 3 AND v.refund_id = c.request_id AND v.refund_generation = c.generation))
), unbound AS (
    DELETE FROM voucher AS v
     USING changed AS c JOIN d USING (request_id, generation)
     WHERE d.voucher_action = 3
       AND v.fingerprint = c.fingerprint AND v.receiver_id = c.receiver_id AND v.provision_id = c.request_id
), traced AS (
    INSERT INTO leg (request_id, generation, advice_id, direction, peer, operation, started_at, duration_us,
                     outcome, status, request, response, error)
    SELECT *
      FROM unnest($16::uuid[], $17::smallint[], $18::uuid[], $19::smallint[], $20::text[], $21::text[],
                  $22::timestamptz[], $23::integer[], $24::smallint[], $25::smallint[], $26::text[], $27::text[],
                  $28::text[])
           AS l (request_id, generation, advice_id, direction, peer, operation, started_at, duration_us,
                 outcome, status, request, response, error)
     WHERE (l.request_id, l.generation) IN (SELECT request_id, generation FROM changed)
)
SELECT request_id FROM changed;

-- keep_reversals --
-- Keep a reversal whose request has not come, so that it is refused if it comes late; on a declined record, note it.
-- A key that does not come back is taken by a record of another state, kind or originator: read it again.
WITH d AS (
    SELECT *
      FROM unnest($1::uuid[], $2::smallint[], $3::smallint[], $4::text[], $5::uuid[])
           AS d (request_id, generation, kind, originator_id, reversal_id)
), kept AS (
    INSERT INTO transaction AS t (request_id, generation, kind, state, has_request, originator_id, reversal_id)
    SELECT request_id, generation, kind, 6, false, originator_id, reversal_id FROM d
    ON CONFLICT (request_id, generation) DO UPDATE
       SET reversal_id = excluded.reversal_id, changed_at = clock_timestamp()
     WHERE t.originator_id = excluded.originator_id AND t.kind = excluded.kind
       AND (NOT t.has_request OR t.state = 3)
    RETURNING t.request_id
), traced AS (
    INSERT INTO leg (request_id, generation, advice_id, direction, peer, operation, started_at, duration_us,
                     outcome, status, request, response, error)
    SELECT *
      FROM unnest($6::uuid[], $7::smallint[], $8::uuid[], $9::smallint[], $10::text[], $11::text[],
                  $12::timestamptz[], $13::integer[], $14::smallint[], $15::smallint[], $16::text[], $17::text[],
                  $18::text[])
)
SELECT request_id FROM kept;

-- note_advices --
-- Keep an advice that was acknowledged and changed nothing, so that its id counts as used (I6, I7). Of an archived
-- request only the id is kept.
WITH d AS (
    SELECT d.*, t.archived_in IS NOT NULL AS archived
      FROM unnest($1::uuid[], $2::smallint[], $3::uuid[], $4::smallint[], $5::smallint[], $6::text[], $7::text[],
                  $8::smallint[], $9::text[])
           AS d (request_id, generation, advice_id, kind, request_kind, originator_id, provider_id, lane, reason)
      LEFT JOIN transaction AS t ON t.request_id = d.request_id AND t.generation = d.generation
), noted AS (
    INSERT INTO advice (request_id, generation, advice_id, kind, request_kind, state, originator_id, provider_id,
                        lane, reason, finished_at)
    SELECT request_id, generation, advice_id, kind, request_kind, 6, originator_id, provider_id,
           lane, reason, clock_timestamp()
      FROM d
     WHERE NOT archived
    ON CONFLICT DO NOTHING
    RETURNING request_id
), noted_archived AS (
    INSERT INTO archived_advice (advice_id, request_id, generation, kind, request_kind, state, originator_id)
    SELECT advice_id, request_id, generation, kind, request_kind, 6, originator_id
      FROM d
     WHERE archived
    ON CONFLICT DO NOTHING
    RETURNING request_id
), traced AS (
    INSERT INTO leg (request_id, generation, advice_id, direction, peer, operation, started_at, duration_us,
                     outcome, status, request, response, error)
    SELECT *
      FROM unnest($10::uuid[], $11::smallint[], $12::uuid[], $13::smallint[], $14::text[], $15::text[],
                  $16::timestamptz[], $17::integer[], $18::smallint[], $19::smallint[], $20::text[], $21::text[],
                  $22::text[])
)
SELECT request_id FROM noted UNION ALL SELECT request_id FROM noted_archived;

-- read_advices --
-- What an advice id was accepted for. No row: it never was.
SELECT advice_id, request_id, generation, kind, request_kind, originator_id, state
  FROM advice
 WHERE advice_id = ANY ($1::uuid[])
 UNION ALL
SELECT advice_id, request_id, generation, kind, request_kind, originator_id, state
  FROM archived_advice
 WHERE advice_id = ANY ($1::uuid[]);

-- owed_of_vouchers --
-- Advices of a voucher that are acknowledged and not delivered: they go before its next request (A6).
SELECT fingerprint, request_id, generation, advice_id, provider_id,
       not_before > clock_timestamp() AS held_by_call,
       sending_until > clock_timestamp() AS being_sent
  FROM advice
 WHERE fingerprint = ANY ($1::bytea[]) AND state = 1
 ORDER BY fingerprint, seq;
