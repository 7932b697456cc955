-- open_restoration --
-- The restore whose gap is not settled yet. No row: nothing is forgotten.
SELECT restored_to, marked_at FROM restoration WHERE closed_at IS NULL;

-- mark_restoration --
-- Say that the journal has forgotten what came after a moment. Of two restores in a row the earlier moment counts.
INSERT INTO restoration AS r (restored_to) VALUES ($1)
ON CONFLICT ((true)) WHERE closed_at IS NULL
DO UPDATE SET restored_to = least(r.restored_to, excluded.restored_to), marked_at = clock_timestamp();

-- skip_references --
-- References that were told in the gap must not be told again for something else.
SELECT setval(s, nextval(s) + $1::bigint) FROM pg_get_serial_sequence('transaction', 'reference') AS s;

-- close_restoration --
-- What was forgotten is settled: unknown ids are unknown again. No row: there was nothing to close.
UPDATE restoration SET closed_at = clock_timestamp() WHERE closed_at IS NULL RETURNING restored_to;

-- report_forgotten --
-- What originators have spoken of since the restore and the journal does not know: by id, the newest last.
SELECT l.request_id, l.peer AS originator_id, l.operation, count(*) AS times, min(l.started_at) AS first_at,
       max(l.started_at) AS last_at
  FROM restoration AS r
  JOIN leg AS l ON l.started_at >= r.restored_to
  LEFT JOIN transaction AS t ON t.request_id = l.request_id AND t.has_request
 WHERE r.closed_at IS NULL AND l.direction = 1 AND t.request_id IS NULL
   AND l.operation IN ('retryProvisionVoucher', 'lookupRedemption', 'confirmVoucher', 'reverseVoucher', 'confirmRedeem',
                       'reverseRedeem', 'confirmRefund', 'reverseRefund')
 GROUP BY l.request_id, l.peer, l.operation
 ORDER BY max(l.started_at);
