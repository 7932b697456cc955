-- old_leg_days --
-- Days of the trace that are over their time, the oldest first; `attached` is false for a day that was taken out of
-- `leg` by a worker that died before it had dropped it.
SELECT c.relname AS name, i.inhrelid IS NOT NULL AS attached
  FROM pg_class AS c
  LEFT JOIN pg_inherits AS i ON i.inhrelid = c.oid
 WHERE c.relnamespace = (SELECT relnamespace FROM pg_class WHERE oid = 'leg'::regclass)
   AND c.relkind = 'r' AND c.relname ~ '^leg_\d{8}$' AND substr(c.relname, 5) < to_char($1::date, 'YYYYMMDD')
 ORDER BY c.relname;

-- delete_default_legs --
-- Delete rows of leg_default that are over their time, except those of requests that somebody still has to settle.
-- No row: nothing is left to delete.
WITH needed AS MATERIALIZED (SELECT request_id FROM unsettled)
DELETE FROM leg_default
 WHERE ctid = ANY (ARRAY(SELECT d.ctid FROM leg_default AS d
                          WHERE d.started_at < ($1::date)::timestamp AT TIME ZONE 'UTC'
                            AND NOT EXISTS (SELECT FROM needed AS n WHERE n.request_id = d.request_id)
                          LIMIT $2))
RETURNING request_id;

-- archive_due --
-- Whether the hour of the night ($1, UTC) has come since the last run ended. A run that looked at all it may in one
-- night counts as ended.
SELECT finished_at < date_trunc('day', now() AT TIME ZONE 'UTC' - $1 * interval '1 hour') AT TIME ZONE 'UTC'
                     + $1 * interval '1 hour'
  FROM archive_sweep;

-- archive_window_end --
-- The last of the next requests by age: how far one batch looks. No row: the end is reached.
SELECT opened_at, request_id, generation, count(*) OVER () AS looked_at
  FROM (SELECT opened_at, request_id, generation
          FROM transaction
         WHERE (opened_at, request_id, generation) > ($1::timestamptz, $2::uuid, $3::smallint) AND opened_at < $4
         ORDER BY opened_at, request_id, generation
         LIMIT $5) AS w
 ORDER BY opened_at DESC, request_id DESC, generation DESC
 LIMIT 1;

-- archive_requests --
-- Choose what is closed for good: decided before $7 with nothing of it owed, parked, at risk or newer, and not about a
-- voucher that lives. A voucher lives until it was used up before $7, or not touched since before $8. Its provision goes
-- together with it, its redemptions and refunds after it; a redemption after its refunds.
INSERT INTO archiving (request_id, generation, version)
SELECT t.request_id, t.generation, t.xmin
  FROM transaction AS t
 WHERE (t.opened_at, t.request_id, t.generation) > ($1::timestamptz, $2::uuid, $3::smallint)
   AND (t.opened_at, t.request_id, t.generation) <= ($4::timestamptz, $5::uuid, $6::smallint)
   AND t.archived_in IS NULL AND t.state IN (3, 5, 6) AND t.changed_at < $7
   AND (t.call_until IS NULL OR t.call_until < clock_timestamp())
   AND NOT EXISTS (SELECT FROM advice AS a
                    WHERE a.request_id = t.request_id AND a.generation = t.generation
                      AND (a.state IN (1, 4) OR (a.state = 3 AND a.kind = 2 AND a.request_kind IN (1, 2))
                           OR a.finished_at >= $7))
   AND CASE t.kind
         WHEN 1 THEN NOT EXISTS (SELECT FROM voucher AS v
                                  WHERE v.fingerprint = t.fingerprint AND v.receiver_id = t.receiver_id
                                    AND v.provision_id = t.request_id
                                    AND NOT (v.open_id IS NULL AND (   (v.state = 3 AND v.changed_at < $7)
                                                                    OR (v.state = 1 AND v.changed_at < $8))))
         ELSE NOT EXISTS (SELECT FROM voucher AS v
                           WHERE v.fingerprint = t.fingerprint AND v.receiver_id = t.receiver_id
                             AND (t.state = 5 OR t.request_id IN (v.redemption_id, v.refund_id)))
              AND NOT (t.kind = 2 AND EXISTS (SELECT FROM transaction AS f
                                               WHERE f.fingerprint = t.fingerprint AND f.kind = 3
                                                 AND f.redemption_id = t.request_id))
       END;

-- archive_vouchers --
-- The vouchers that go: of the provisions that do, and those that were sold elsewhere and are used up or untouched.
INSERT INTO archiving_voucher (fingerprint, receiver_id, version)
SELECT v.fingerprint, v.receiver_id, v.xmin
  FROM archiving AS s
  JOIN transaction AS t ON t.request_id = s.request_id AND t.generation = s.generation AND t.kind = 1
  JOIN voucher AS v
    ON v.fingerprint = t.fingerprint AND v.receiver_id = t.receiver_id AND v.provision_id = t.request_id
UNION
SELECT v.fingerprint, v.receiver_id, v.xmin
  FROM transaction AS t
  JOIN voucher AS v ON v.fingerprint = t.fingerprint AND v.receiver_id = t.receiver_id
 WHERE (t.opened_at, t.request_id, t.generation) > ($1::timestamptz, $2::uuid, $3::smallint)
   AND (t.opened_at, t.request_id, t.generation) <= ($4::timestamptz, $5::uuid, $6::smallint)
   AND t.kind = 2 AND v.provision_id IS NULL
   AND v.open_id IS NULL AND ((v.state = 3 AND v.changed_at < $7) OR (v.state = 1 AND v.changed_at < $8));

-- archive_advices --
-- The advices that go: those of the requests that do.
INSERT INTO archiving_advice (request_id, generation, advice_id, version)
SELECT a.request_id, a.generation, a.advice_id, a.xmin
  FROM archiving AS s
  JOIN advice AS a ON a.request_id = s.request_id AND a.generation = s.generation;

-- take_vouchers --
-- Delete them, unless they changed since they were read: `version` is the transaction that wrote the row (xmin).
WITH gone AS (
    DELETE FROM voucher AS v
     USING archiving_voucher AS s
     WHERE v.fingerprint = s.fingerprint AND v.receiver_id = s.receiver_id AND v.xmin = s.version
    RETURNING v.fingerprint, v.receiver_id
), lookups AS (
    DELETE FROM voucher_lookup AS l USING gone AS g WHERE l.fingerprint = g.fingerprint AND l.receiver_id = g.receiver_id
)
SELECT count(*) FROM gone;

-- take_advices --
-- Delete them, unless they changed, and keep their ids.
WITH gone AS (
    DELETE FROM advice AS a
     USING archiving_advice AS s
     WHERE a.request_id = s.request_id AND a.generation = s.generation AND a.advice_id = s.advice_id
       AND a.xmin = s.version
    RETURNING a.*
), kept AS (
    INSERT INTO archived_advice (advice_id, request_id, generation, kind, request_kind, state, originator_id, batch)
    SELECT advice_id, request_id, generation, kind, request_kind, state, originator_id, $1 FROM gone
)
SELECT count(*) FROM gone;

-- take_requests --
-- Empty them, unless they changed. The id, its state and its advices' ids stay: the rules answer by them, and the one
-- unique index that refuses an id that is taken goes on doing so.
WITH gone AS (
    UPDATE transaction AS t
       SET archived_in = $1, receiver_id = NULL, product_id = NULL, provider_id = NULL, provider_product = NULL,
           merchant_id = NULL, terminal_id = NULL, amount_cents = NULL, currency = NULL,
           approved_cents = NULL, balance_cents = NULL, fingerprint = NULL, voucher_serial = NULL, provider_ref = NULL,
           refs = NULL, request = NULL, answer = NULL, error = NULL, alert = NULL, answered_status = NULL,
           redemption_id = NULL, redemption_generation = NULL, call_until = NULL, worker_id = NULL, call_ended_at = NULL
      FROM archiving AS s
     WHERE t.request_id = s.request_id AND t.generation = s.generation AND t.xmin = s.version
    RETURNING t.request_id
)
SELECT count(*) FROM gone;
