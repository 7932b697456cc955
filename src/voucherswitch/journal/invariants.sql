-- id_used_twice --
-- An id belongs to one request: a provision's for ever, another's until it is decided (I1, I5). Two uses that are open
-- at once, or a provision's second use, could be approved twice.
-- A row: a request id with a use that the earlier ones do not allow.
-- Do: compare both uses in `voucherswitch explain`, and with the provider's book; reverse by hand what it has twice.
SELECT n.request_id::text AS key, n.request_id,
       format('use %s of the id, while use %s is in state %s', n.generation, o.generation, o.state) AS found
  FROM transaction AS n
  JOIN transaction AS o ON o.request_id = n.request_id AND o.generation < n.generation
 WHERE (n.changed_at >= $1 AND n.changed_at < $2 OR n.request_id = ANY ($3::text[]::uuid[]))
   AND n.generation > 0
   AND (n.kind = 1 OR o.state IN (1, 4) OR o.kind <> n.kind OR o.originator_id <> n.originator_id);

-- confirmed_and_reversed --
-- No request is both confirmed and reversed: its voucher would be paid for and given back.
-- A row: a request that bears the mark of both, in its record or in the advices that were accepted for it.
-- Do: see in `voucherswitch explain` which advice came first: that one stands. Stop the other one's delivery if it is
-- still queued (`voucherswitch saf pause`), then settle the difference with the provider.
SELECT t.request_id::text AS key, t.request_id,
       CASE t.state WHEN 5 THEN 'confirmed, with a reversal' ELSE 'reversed, with a confirmation' END AS found
  FROM transaction AS t
 WHERE (t.changed_at >= $1 AND t.changed_at < $2 OR t.request_id = ANY ($3::text[]::uuid[]))
   AND t.state IN (5, 6) AND t.has_request
   AND (   (t.state = 5 AND t.reversal_id IS NOT NULL)
        OR EXISTS (SELECT 1 FROM advice AS a
                    WHERE a.request_id = t.request_id AND a.generation = t.generation
                      AND a.kind = CASE t.state WHEN 5 THEN 2 ELSE 1 END AND a.state NOT IN (5, 6)));

-- two_advices --
-- A request is ended once: one confirmation or one reversal counts, whatever else was acknowledged changed nothing.
-- A row: a request with more than one advice that its provider is or was to be told.
-- Do: see in `voucherswitch explain` what was delivered, and in which order; the provider acts by what it heard.
SELECT t.request_id::text AS key, t.request_id, format('%s advices count', count(*)) AS found
  FROM transaction AS t
  JOIN advice AS a ON a.request_id = t.request_id AND a.generation = t.generation
 WHERE (t.changed_at >= $1 AND t.changed_at < $2 OR t.request_id = ANY ($3::text[]::uuid[]))
   AND a.state NOT IN (5, 6)
 GROUP BY t.request_id, t.generation
HAVING count(*) > 1;

-- confirmation_lost --
-- A confirmed request has the confirmation that was acknowledged: delivered, queued, parked, or kept where the provider
-- takes none.
-- A row: a request that is CONFIRMED, and no confirmation of it will ever reach the provider.
-- Do: the provider may take the voucher back on its own. Confirm it with the provider by hand, then find out who wrote
-- to the journal: no statement of ours changes the record without the advice.
SELECT t.request_id::text AS key, t.request_id, 'confirmed, without its confirmation' AS found
  FROM transaction AS t
 WHERE (t.changed_at >= $1 AND t.changed_at < $2 OR t.request_id = ANY ($3::text[]::uuid[]))
   AND t.state = 5 AND t.archived_in IS NULL
   AND NOT EXISTS (SELECT 1 FROM advice AS a
                    WHERE a.request_id = t.request_id AND a.generation = t.generation
                      AND a.advice_id = t.confirmation_id AND a.kind = 1 AND a.state NOT IN (5, 6));

-- reversal_lost --
-- A reversed request has the reversal that was acknowledged: delivered, queued, parked, or kept where the provider takes
-- none and listed as money at risk.
-- A row: a request that is REVERSED, and no reversal of it will ever reach the provider, who may hold it as sold.
-- Do: reverse it with the provider by hand, then find out who wrote to the journal, as for confirmation_lost.
SELECT t.request_id::text AS key, t.request_id, 'reversed, without its reversal' AS found
  FROM transaction AS t
 WHERE (t.changed_at >= $1 AND t.changed_at < $2 OR t.request_id = ANY ($3::text[]::uuid[]))
   AND t.state = 6 AND t.has_request AND t.archived_in IS NULL
   AND NOT EXISTS (SELECT 1 FROM advice AS a
                    WHERE a.request_id = t.request_id AND a.generation = t.generation
                      AND a.advice_id = t.reversal_id AND a.kind = 2 AND a.state NOT IN (5, 6));

-- advice_disagrees --
-- What the provider is told is what the record says: a confirmation of a CONFIRMED request, a reversal of a REVERSED one.
-- A row: a request with an advice that counts and that its record does not know.
-- Do: if the advice is queued, pause its provider (`voucherswitch saf pause`) before anything else; then as for
-- confirmed_and_reversed.
SELECT t.request_id::text AS key, t.request_id,
       format('record in state %s, advice %s of kind %s in state %s', t.state, a.advice_id, a.kind, a.state) AS found
  FROM transaction AS t
  JOIN advice AS a ON a.request_id = t.request_id AND a.generation = t.generation
 WHERE (t.changed_at >= $1 AND t.changed_at < $2 OR t.request_id = ANY ($3::text[]::uuid[]))
   AND a.state NOT IN (5, 6)
   AND NOT (   (a.kind = 1 AND t.state = 5 AND t.confirmation_id = a.advice_id)
            OR (a.kind = 2 AND t.state = 6 AND t.reversal_id = a.advice_id));

-- advice_misdirected --
-- An advice goes to the provider that was asked, in the name of the originator that asked, and in the request's lane.
-- A row: a request with an advice for another provider, of another originator or kind of request, or in another lane
-- than its other advices, where order is lost.
-- Do: pause the wrong provider (`voucherswitch saf pause`) while the advice is queued there; tell the right one by hand.
SELECT t.request_id::text AS key, t.request_id,
       format('advice %s to %s, lane %s; the record was asked of %s', a.advice_id, a.provider_id, a.lane, t.provider_id)
       AS found
  FROM transaction AS t
  JOIN advice AS a ON a.request_id = t.request_id AND a.generation = t.generation
 WHERE (t.changed_at >= $1 AND t.changed_at < $2 OR t.request_id = ANY ($3::text[]::uuid[]))
   AND (   (a.state NOT IN (5, 6) AND a.provider_id IS DISTINCT FROM t.provider_id)
        OR a.originator_id <> t.originator_id
        OR a.request_kind <> t.kind
        OR a.fingerprint <> t.fingerprint
        OR EXISTS (SELECT 1 FROM advice AS other
                    WHERE other.request_id = a.request_id AND other.state = 1 AND a.state = 1 AND other.lane <> a.lane));

-- advice_impossible --
-- An advice ends as it went: DELIVERED after an attempt, REPLACED before any, only a QUEUED one has no end.
-- A row: a request with an advice whose state contradicts its attempts or its end.
-- Do: look at the attempts (`voucherswitch saf show ADVICE_ID`): was the provider told? If not, tell it by hand.
SELECT a.request_id::text AS key, a.request_id,
       format('advice %s in state %s after %s attempts', a.advice_id, a.state, a.attempts) AS found
  FROM advice AS a
 WHERE (a.finished_at >= $1 AND a.finished_at < $2 OR a.request_id = ANY ($3::text[]::uuid[])
        OR ($1 = '-infinity' AND a.finished_at IS NULL))
   AND (   a.state NOT BETWEEN 1 AND 7
        OR (a.state = 1) <> (a.finished_at IS NULL)
        OR (a.state = 2 AND a.attempts = 0)
        OR (a.state = 5 AND (a.attempts > 0 OR NOT a.by_switch OR a.kind <> 1)));

-- advice_without_record --
-- Every advice is about a request. Looked for only by a full check: no statement of ours removes a record.
-- A row: an advice whose request is not in the journal.
-- Do: somebody deleted rows by hand, or a restore is incomplete; see the chapter on restoring in the runbook.
SELECT a.request_id::text AS key, a.request_id, format('advice %s has no record', a.advice_id) AS found
  FROM advice AS a
 WHERE $1::timestamptz = '-infinity'
   AND NOT EXISTS (SELECT 1 FROM transaction AS t WHERE t.request_id = a.request_id AND t.generation = a.generation);

-- advice_to_nobody --
-- Every advice that is still owed can be delivered: its provider exists.
-- A row: an advice that waits for ever.
-- Do: add the provider again (`voucherswitch provider add`) under the same id, then `voucherswitch saf resend` it.
SELECT a.request_id::text AS key, a.request_id,
       format('advice %s is for %s, which is not configured', a.advice_id, coalesce(nullif(a.provider_id, ''), 'nobody'))
       AS found
  FROM (SELECT * FROM advice WHERE state = 1 UNION ALL SELECT * FROM advice WHERE state = 4) AS a -- an index for each
 WHERE NOT EXISTS (SELECT 1 FROM provider AS p WHERE p.provider_id = a.provider_id);

-- approval_incomplete --
-- An approved request can be answered again: the sealed answer, the amount and the voucher's fingerprint are there.
-- A row: an approval that a retry, a lookup or a redemption cannot be answered from.
-- Do: ask the provider for the voucher by `provider_ref` or `voucher_serial`, and give it to the originator by hand.
SELECT t.request_id::text AS key, t.request_id,
       concat_ws(', ', CASE WHEN t.answer IS NULL THEN 'no answer' END,
                       CASE WHEN t.approved_cents IS NULL THEN 'no amount' END,
                       CASE WHEN t.fingerprint IS NULL THEN 'no fingerprint' END) AS found
  FROM transaction AS t
 WHERE (t.changed_at >= $1 AND t.changed_at < $2 OR t.request_id = ANY ($3::text[]::uuid[]))
   AND t.state IN (2, 5) AND t.archived_in IS NULL
   AND (t.answer IS NULL OR t.approved_cents IS NULL OR t.fingerprint IS NULL);

-- issued_and_undelivered --
-- Every voucher that a provider issued is delivered, reversed, or listed: nobody was told "no" while we hold a voucher.
-- A row: a provision that is open or declined, with the voucher that the provider issued for it.
-- Do: reverse the voucher with the provider, or deliver it; the originator may have sold another one meanwhile.
SELECT t.request_id::text AS key, t.request_id, format('state %s, and a voucher was issued', t.state) AS found
  FROM transaction AS t
 WHERE (t.changed_at >= $1 AND t.changed_at < $2 OR t.request_id = ANY ($3::text[]::uuid[]))
   AND t.kind = 1 AND t.state IN (1, 3, 4) AND (t.answer IS NOT NULL OR t.fingerprint IS NOT NULL);

-- reason_missing --
-- A declined request has the refusal that was told, an unknown one the alert that lists it.
-- A row: a decision that cannot be repeated to its originator, or an unknown outcome that nobody is shown.
-- Do: find the answer in the trace (`voucherswitch explain`); treat an unknown one as the runbook says of its alert.
SELECT t.request_id::text AS key, t.request_id,
       CASE t.state WHEN 3 THEN 'declined without a reason' ELSE 'unknown without an alert' END AS found
  FROM transaction AS t
 WHERE (t.changed_at >= $1 AND t.changed_at < $2 OR t.request_id = ANY ($3::text[]::uuid[]))
   AND ((t.state = 3 AND t.error IS NULL AND t.archived_in IS NULL) OR (t.state = 4 AND t.alert IS NULL));

-- tombstone_alive --
-- A reversal that came before its request leaves nothing but itself: nobody was asked, nothing is owed.
-- A row: such a reversal with an answer, a provider, an advice, or without its own id.
-- Do: see in `voucherswitch explain` whether a provider was asked; then reverse there by hand.
SELECT t.request_id::text AS key, t.request_id, 'a reversal without its request, with a history' AS found
  FROM transaction AS t
 WHERE (t.changed_at >= $1 AND t.changed_at < $2 OR t.request_id = ANY ($3::text[]::uuid[]))
   AND NOT t.has_request
   AND (   t.reversal_id IS NULL OR t.answer IS NOT NULL OR t.provider_id IS NOT NULL OR t.confirmation_id IS NOT NULL
        OR EXISTS (SELECT 1 FROM advice AS a WHERE a.request_id = t.request_id AND a.generation = t.generation));

-- sold_without_voucher --
-- A confirmed provision can be redeemed, and no other can: it alone has a voucher row, unless its provider has sold the
-- same code again since.
-- A row: a confirmed provision without a voucher, or a voucher of a provision that is not confirmed.
-- Do: the customer's voucher is refused, or one that was given back is not. Settle it with the provider.
SELECT t.request_id::text AS key, t.request_id,
       CASE t.state WHEN 5 THEN 'confirmed, without a voucher' ELSE format('state %s, with a voucher', t.state) END AS found
  FROM transaction AS t
  LEFT JOIN voucher AS v ON v.fingerprint = t.fingerprint AND v.receiver_id = t.receiver_id
 WHERE (t.changed_at >= $1 AND t.changed_at < $2 OR t.request_id = ANY ($3::text[]::uuid[]))
   AND t.kind = 1 AND t.archived_in IS NULL
   AND CASE t.state
         WHEN 5 THEN v.state IS NULL
                     AND NOT EXISTS (SELECT 1 FROM transaction AS again
                                      WHERE again.fingerprint = t.fingerprint AND again.kind = 1
                                        AND again.receiver_id = t.receiver_id AND again.request_id <> t.request_id)
         ELSE v.provision_id = t.request_id
       END;

-- claim_disagrees --
-- A redemption or refund holds its voucher while it is open, and only then (X4).
-- A row: an open one whose voucher others may use meanwhile, or a decided one that locks it for ever.
-- Do: an open one: end it first, as the runbook says of unknown outcomes. A decided one: the lock comes off only by hand.
SELECT t.request_id::text AS key, t.request_id,
       CASE WHEN t.state IN (1, 4) THEN 'open, and its voucher is free' ELSE 'decided, and its voucher is held' END AS found
  FROM transaction AS t
  LEFT JOIN voucher AS v ON v.fingerprint = t.fingerprint AND v.receiver_id = t.receiver_id
  LEFT JOIN transaction AS p ON p.request_id = v.provision_id AND p.generation = 0
 WHERE (t.changed_at >= $1 AND t.changed_at < $2 OR t.request_id = ANY ($3::text[]::uuid[]))
   AND t.kind IN (2, 3) AND t.has_request
   AND (t.state IN (1, 4)) <> coalesce(v.open_id = t.request_id AND v.open_generation = t.generation, false)
   AND (p.opened_at < t.opened_at OR p.opened_at IS NULL) -- not where the same code was sold again meanwhile;

-- use_disagrees --
-- A voucher is as its last redemption or refund left it: used up by an approval, free again after a reversal.
-- A row: an approved redemption or refund that its voucher does not show, or one that is undone and still shown.
-- Do: the voucher can be spent twice, or not at all. Compare with the provider's balance, and settle it there.
SELECT t.request_id::text AS key, t.request_id,
       format('%s in state %s, voucher in state %s', CASE t.kind WHEN 2 THEN 'redemption' ELSE 'refund' END, t.state, v.state)
       AS found
  FROM transaction AS t
  LEFT JOIN voucher AS v ON v.fingerprint = t.fingerprint AND v.receiver_id = t.receiver_id
  LEFT JOIN transaction AS p ON p.request_id = v.provision_id AND p.generation = 0
 WHERE (t.changed_at >= $1 AND t.changed_at < $2 OR t.request_id = ANY ($3::text[]::uuid[]))
   AND t.kind IN (2, 3) AND t.state IN (2, 3, 6) AND t.has_request
   AND (t.state = 2)
       <> CASE t.kind
            WHEN 2 THEN coalesce(v.redemption_id = t.request_id AND v.redemption_generation = t.generation
                                 AND v.state IN (2, 3, 4), false)
            ELSE coalesce(v.refund_id = t.request_id AND v.refund_generation = t.generation AND v.state = 4, false)
          END
   AND (p.opened_at < t.opened_at OR p.opened_at IS NULL) -- not where the same code was sold again meanwhile;

-- voucher_disagrees --
-- Every voucher row is what its records made of it: bound by its provision, used by its redemption, given back by its
-- refund, held by an open request.
-- A row: a voucher one of whose records is missing, is about another voucher, or says otherwise.
-- Do: as for use_disagrees: the provider's book decides.
SELECT v.fingerprint::text AS key,
       coalesce(v.open_id, v.refund_id, v.redemption_id, v.provision_id) AS request_id,
       format('voucher of %s in state %s: provision %s, redemption %s, refund %s, held by %s', v.receiver_id, v.state,
              coalesce(p.state::text, '-'), coalesce(r.state::text, '-'), coalesce(f.state::text, '-'),
              coalesce(o.state::text, '-')) AS found
  FROM voucher AS v
  LEFT JOIN transaction AS p
    ON p.request_id = v.provision_id AND p.generation = 0 AND p.kind = 1
   AND p.fingerprint = v.fingerprint AND p.receiver_id = v.receiver_id
  LEFT JOIN transaction AS r
    ON r.request_id = v.redemption_id AND r.generation = v.redemption_generation AND r.kind = 2
   AND r.fingerprint = v.fingerprint AND r.receiver_id = v.receiver_id
  LEFT JOIN transaction AS f
    ON f.request_id = v.refund_id AND f.generation = v.refund_generation AND f.kind = 3
   AND f.fingerprint = v.fingerprint AND f.receiver_id = v.receiver_id
  LEFT JOIN transaction AS o
    ON o.request_id = v.open_id AND o.generation = v.open_generation AND o.kind IN (2, 3)
   AND o.fingerprint = v.fingerprint AND o.receiver_id = v.receiver_id
 WHERE (v.changed_at >= $1 AND v.changed_at < $2
        OR v.fingerprint = ANY ($3::text[]::bytea[]))
   AND (   (v.provision_id IS NOT NULL AND p.state IS DISTINCT FROM 5)
        OR (v.open_id IS NOT NULL AND (o.state IS NULL OR o.state NOT IN (1, 4)))
        OR (v.redemption_id IS NOT NULL AND r.state IS NULL)
        OR (v.refund_id IS NOT NULL AND f.state IS NULL)
        OR (v.state = 1 AND r.state = 2)
        OR (v.state = 2 AND r.state IS DISTINCT FROM 2)
        OR (v.state = 3 AND r.state IS DISTINCT FROM 5)
        OR (v.state = 4 AND f.state IS DISTINCT FROM 2));

-- sold_twice --
-- A provider issues a voucher to one request: two customers who hold the same code can spend it once.
-- A row: a provision whose code was sold before, to another request, and neither reversed nor used since.
-- Do: this is the provider's fault, and a customer's loss: reverse one of the two with the provider, and report it.
SELECT t.request_id::text AS key, t.request_id, format('the same voucher as %s', o.request_id) AS found
  FROM transaction AS t
  JOIN transaction AS o
    ON o.fingerprint = t.fingerprint AND o.receiver_id = t.receiver_id AND o.kind = 1 AND o.state IN (2, 5)
   AND o.request_id <> t.request_id AND (o.opened_at, o.reference) < (t.opened_at, t.reference)
 WHERE (t.changed_at >= $1 AND t.changed_at < $2 OR t.request_id = ANY ($3::text[]::uuid[]))
   AND t.kind = 1 AND t.state IN (2, 5)
   AND NOT EXISTS (SELECT 1 FROM transaction AS r
                    WHERE r.fingerprint = t.fingerprint AND r.receiver_id = t.receiver_id AND r.kind = 2
                      AND r.state IN (2, 5) AND r.opened_at BETWEEN o.opened_at AND t.opened_at);

-- refunded_too_much --
-- Refunds give back what a redemption took, at most (F5), and only of a redemption that stands.
-- A row: a redemption that gave back more than it took, or was given back without being confirmed.
-- Do: the customer was paid twice. Take the difference up with the originator of the last refund.
SELECT f.redemption_id::text AS key, f.redemption_id AS request_id,
       format('%s cents given back of %s', sum(coalesce(f.approved_cents, f.amount_cents)),
              coalesce(max(r.approved_cents)::text, 'none')) AS found
  FROM (SELECT DISTINCT t.fingerprint, coalesce(t.redemption_id, t.request_id) AS redemption_id,
               coalesce(t.redemption_generation, t.generation) AS generation
          FROM transaction AS t
         WHERE (t.changed_at >= $1 AND t.changed_at < $2 OR t.request_id = ANY ($3::text[]::uuid[]))
           AND t.kind IN (2, 3) AND t.fingerprint IS NOT NULL) AS d
  JOIN transaction AS f
    ON f.fingerprint = d.fingerprint AND f.kind = 3 AND f.state IN (2, 5)
   AND f.redemption_id = d.redemption_id AND f.redemption_generation = d.generation
  LEFT JOIN transaction AS r
    ON r.request_id = f.redemption_id AND r.generation = f.redemption_generation AND r.kind = 2
   AND r.fingerprint = f.fingerprint AND r.state = 5
 GROUP BY f.redemption_id, f.redemption_generation
HAVING sum(coalesce(f.approved_cents, f.amount_cents)) > coalesce(max(r.approved_cents), -1);

-- lane_blocked --
-- A lane can be taken over soon: a lease lasts 300 s at most, and one without a holder is over.
-- A row: a lane whose advices nobody can deliver until a moment that is too far away, as after the clock was set back.
-- Do: set the database server's clock right. A holder that lives renews its lanes by itself; else restart the workers.
SELECT l.provider_id || ' ' || l.lane AS key, NULL::uuid AS request_id,
       format('lane %s of %s, held by %s until %s', l.lane, l.provider_id, coalesce(l.holder, 'nobody'), l.expires_at) AS found
  FROM lane AS l
 WHERE l.expires_at > clock_timestamp() + interval '300 seconds'
    OR (l.holder IS NULL AND l.expires_at > clock_timestamp());

-- open_unattended --
-- Somebody looks after every open request: the worker whose call it is, or the resolver, within an hour of the moment that
-- it is due. Not where the provider is shut or paused: then it waits for that.
-- A row: a request that is PENDING or UNKNOWN and that nobody has looked at for an hour.
-- Do: see that a worker runs, and its log for "outcome not resolved". Is the provider gone from the catalogue? Add it
-- again under the same id. Then the runbook on transactions whose outcome is unknown.
SELECT t.request_id::text AS key, t.request_id,
       CASE WHEN t.resolve_at < clock_timestamp() - interval '1 hour' THEN format('due since %s', t.resolve_at)
            ELSE format('its call should have ended at %s', t.call_until) END AS found
  FROM transaction AS t
 WHERE t.state IN (1, 4)
   AND (   t.resolve_at < clock_timestamp() - interval '1 hour'
        OR (t.call_until < clock_timestamp() - interval '1 hour' AND worker_lives(t.worker_id)))
   AND NOT EXISTS (SELECT 1 FROM provider_shut AS s WHERE s.provider_id = t.provider_id AND s.why IS NOT NULL)
   AND NOT EXISTS (SELECT 1 FROM provider AS p WHERE p.provider_id = t.provider_id AND p.saf_paused);
