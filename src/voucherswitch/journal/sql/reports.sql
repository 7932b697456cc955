-- report_requests_of_id --
-- The requests that an id may mean: itself, the one that an advice is about, or one that was refused or only traced.
-- No row: it was never heard of.
SELECT request_id FROM transaction WHERE request_id = $1
UNION
SELECT request_id FROM advice WHERE advice_id = $1
UNION
SELECT request_id FROM archived_advice WHERE advice_id = $1
UNION
SELECT request_id FROM refusal WHERE request_id = $1
UNION
SELECT request_id FROM leg WHERE request_id = $1;

-- report_requests_of_reference --
-- The request that we told the originator this reference of.
SELECT request_id FROM transaction WHERE reference = $1;

-- report_requests_of_voucher --
-- Every request about a voucher, found by its serial number or by its code's fingerprint: its provision, the redemptions
-- and refunds of the same code.
WITH named AS (
    SELECT request_id, fingerprint FROM transaction WHERE voucher_serial = $1
    UNION
    SELECT request_id, fingerprint FROM transaction WHERE fingerprint = $2
)
SELECT request_id FROM named
UNION
SELECT t.request_id
  FROM (SELECT DISTINCT fingerprint FROM named WHERE fingerprint IS NOT NULL) AS n
  JOIN transaction AS t ON t.fingerprint = n.fingerprint
 LIMIT $3;

-- report_records --
-- The records of some requests in the order in which they came, every generation, with their vouchers' state now.
SELECT t.request_id, t.generation, t.reference, t.kind, t.state, t.has_request, t.originator_id, t.single, t.receiver_id,
       t.product_id, t.provider_id, t.provider_product, t.amount_cents, t.currency, t.approved_cents, t.balance_cents,
       t.voucher_serial, t.provider_ref, t.error, t.alert, t.answered_status, t.redemption_id, t.confirmation_id,
       t.reversal_id, t.opened_at, t.changed_at, t.call_until,
       t.call_until > clock_timestamp() OR (t.call_until IS NOT NULL AND worker_lives(t.worker_id)) AS call_running,
       v.state AS voucher_state, t.archived_in
  FROM transaction AS t
  LEFT JOIN voucher AS v
    ON v.fingerprint = t.fingerprint AND v.receiver_id = t.receiver_id
   AND (t.kind <> 1 OR v.provision_id = t.request_id)
 WHERE t.request_id = ANY ($1::uuid[])
 ORDER BY t.opened_at, t.generation;

-- report_advices_of --
-- What was accepted to be delivered for some requests, in the order in which it was accepted.
SELECT a.*, a.not_before > clock_timestamp() AS held_by_call, a.sending_until > clock_timestamp() AS being_sent,
       p.saf_paused AS paused, s.why AS shut
  FROM advice AS a
  LEFT JOIN provider AS p ON p.provider_id = a.provider_id
  LEFT JOIN provider_shut AS s ON s.provider_id = a.provider_id
 WHERE a.request_id = ANY ($1::uuid[])
 ORDER BY a.seq;

-- report_legs --
-- Every message about some requests on every connection, in the order in which they began.
SELECT request_id, generation, advice_id, direction, peer, operation, started_at, duration_us, outcome, status, request,
       response, error
  FROM leg
 WHERE request_id = ANY ($1::uuid[])
 ORDER BY started_at, leg_id
 LIMIT $2;

-- report_refusals --
-- What was refused before a record was made.
SELECT request_id, originator_id, kind, operation, refused_at, error
  FROM refusal
 WHERE request_id = ANY ($1::uuid[])
 ORDER BY refused_at, refusal_id
 LIMIT $2;

-- report_open_records --
-- Requests that nobody knows the outcome of, the oldest first. While a call may be running the outcome may still come.
SELECT request_id, generation, reference, kind, state, originator_id, provider_id, provider_product, amount_cents,
       answered_status, alert, opened_at, call_until,
       coalesce(t.call_until > clock_timestamp() OR (t.call_until IS NOT NULL AND worker_lives(t.worker_id)), false)
           AS call_running
  FROM transaction AS t
 WHERE state IN (1, 4)
 ORDER BY opened_at
 LIMIT $1;

-- report_at_risk --
-- Reversals that their provider takes none of, the oldest first: it may have issued or redeemed all the same, and only
-- its file will tell (providers.md B.5).
SELECT a.request_id, a.advice_id, a.request_kind AS kind, a.provider_id, t.reference, t.voucher_serial,
       coalesce(t.approved_cents, t.amount_cents) AS amount_cents, a.created_at AS since
  FROM advice AS a
  JOIN transaction AS t ON t.request_id = a.request_id AND t.generation = a.generation
 WHERE a.state = 3 AND a.kind = 2 AND a.request_kind IN (1, 2)
 ORDER BY a.created_at
 LIMIT $1;

-- report_saf_queues --
-- Each provider's queue. Held: not due by design, for a call that may be running or a confirmation of our own that a
-- reversal may still overtake. Parked: the provider refused it for good, somebody must decide.
SELECT p.provider_id, p.enabled, p.saf_paused AS paused, q.queued, q.held, q.failing, q.oldest_at, q.newest_error,
       parked.parked, (SELECT why FROM provider_shut AS s WHERE s.provider_id = p.provider_id) AS shut
  FROM provider AS p
  CROSS JOIN LATERAL (
      SELECT count(*) AS queued,
             count(*) FILTER (WHERE a.not_before > clock_timestamp()
                                 OR (a.by_switch AND a.attempts = 0 AND a.next_attempt_at > clock_timestamp())) AS held,
             count(*) FILTER (WHERE a.attempts > 0 AND a.last_error IS NOT NULL) AS failing,
             min(a.created_at) AS oldest_at,
             (array_agg(a.last_error ORDER BY a.next_attempt_at DESC) FILTER (WHERE a.last_error IS NOT NULL))[1]
                 AS newest_error
        FROM advice AS a
       WHERE a.provider_id = p.provider_id AND a.state = 1
  ) AS q
  CROSS JOIN LATERAL (
      SELECT count(*) AS parked FROM advice AS a WHERE a.provider_id = p.provider_id AND a.state = 4
  ) AS parked
 ORDER BY p.provider_id;

-- report_saf_advices --
-- Advices of one provider, or of all, in one state, the oldest first.
SELECT a.*, a.not_before > clock_timestamp() AS held_by_call, a.sending_until > clock_timestamp() AS being_sent,
       p.saf_paused AS paused, s.why AS shut
  FROM advice AS a
  LEFT JOIN provider AS p ON p.provider_id = a.provider_id
  LEFT JOIN provider_shut AS s ON s.provider_id = a.provider_id
 WHERE ($1::text IS NULL OR a.provider_id = $1) AND a.state = $2
 ORDER BY a.seq
 LIMIT $3;

-- report_saf_advice --
-- One advice. No row: none has this id.
SELECT a.*, a.not_before > clock_timestamp() AS held_by_call, a.sending_until > clock_timestamp() AS being_sent,
       p.saf_paused AS paused, s.why AS shut
  FROM advice AS a
  LEFT JOIN provider AS p ON p.provider_id = a.provider_id
  LEFT JOIN provider_shut AS s ON s.provider_id = a.provider_id
 WHERE a.advice_id = $1;

-- report_attempts --
-- The messages by which one advice was delivered, or was not.
SELECT request_id, generation, advice_id, direction, peer, operation, started_at, duration_us, outcome, status, request,
       response, error
  FROM leg
 WHERE request_id = $1 AND advice_id = $2 AND direction = 2
 ORDER BY started_at, leg_id
 LIMIT $3;
