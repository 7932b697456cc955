-- hold_audit --
-- Until the end of the transaction nobody else appends: numbers have no gaps, and each event has one before it.
SELECT pg_advisory_xact_lock($1);

-- audit_head --
-- The newest event and the time to record the next one with; seq 0 without a hash: there is none yet.
SELECT coalesce(head.seq, 0) AS seq, head.hash, date_trunc('milliseconds', clock_timestamp()) AS now
  FROM (VALUES (true)) AS always
  LEFT JOIN LATERAL (SELECT seq, hash FROM audit_event ORDER BY seq DESC LIMIT 1) AS head ON true;

-- append_audit --
-- Append an event; one that does not follow the newest is refused by the table.
INSERT INTO audit_event (seq, at, actor_kind, actor_id, roles, session_id, ip, correlation_id, action, object_kind,
                         object_id, reason, approval_id, before, after, outcome, prev_hash, hash)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14::jsonb, $15::jsonb, $16, $17, $18);

-- read_audit --
-- Events after a number, in order, at most so many.
SELECT seq, at, actor_kind, actor_id, roles, session_id, ip, correlation_id, action, object_kind, object_id, reason,
       approval_id, before, after, outcome, prev_hash, hash
  FROM audit_event
 WHERE seq > $1
 ORDER BY seq
 LIMIT $2;

-- audit_hash --
-- The hash of one event. No row: there is no such event.
SELECT hash FROM audit_event WHERE seq = $1;

-- find_audit --
-- Events that fit, the newest first: before a number, since and until a time, of an action or a group of them, by an
-- actor, about an object, with an outcome; NULL: whatever.
SELECT seq, at, actor_kind, actor_id, roles, session_id, ip, correlation_id, action, object_kind, object_id, reason,
       approval_id, before, after, outcome, prev_hash, hash
  FROM audit_event
 WHERE ($1::bigint IS NULL OR seq < $1)
   AND ($2::timestamptz IS NULL OR at >= $2)
   AND ($3::timestamptz IS NULL OR at < $3)
   AND ($4::text IS NULL OR action = $4 OR starts_with(action, $4 || '.'))
   AND ($5::text IS NULL OR actor_id = $5)
   AND ($6::text IS NULL OR object_id = $6)
   AND ($7::text IS NULL OR outcome = $7)
 ORDER BY seq DESC
 LIMIT $8;

-- export_audit --
-- Events that fit as in find_audit, the oldest first, between two numbers.
SELECT seq, at, actor_kind, actor_id, roles, session_id, ip, correlation_id, action, object_kind, object_id, reason,
       approval_id, before, after, outcome, prev_hash, hash
  FROM audit_event
 WHERE seq > $1 AND seq < $2
   AND ($3::timestamptz IS NULL OR at >= $3)
   AND ($4::timestamptz IS NULL OR at < $4)
   AND ($5::text IS NULL OR action = $5 OR starts_with(action, $5 || '.'))
   AND ($6::text IS NULL OR actor_id = $6)
   AND ($7::text IS NULL OR object_id = $7)
   AND ($8::text IS NULL OR outcome = $8)
 ORDER BY seq
 LIMIT $9;

-- read_audit_anchors --
-- Heads that were noted after an event: what the trail went to then.
SELECT seq, hash FROM audit_anchor WHERE seq > $1 ORDER BY seq;

-- last_audit_anchor --
-- The newest walk of the workers and its age by the database's clock. No row: there was none.
SELECT anchored_at, seq, hash, walked_from, faults,
       extract(epoch FROM clock_timestamp() - anchored_at)::float8 AS age_s,
       (anchored_at AT TIME ZONE 'Africa/Johannesburg')::date < (clock_timestamp() AT TIME ZONE 'Africa/Johannesburg')::date
           AS of_another_day
  FROM audit_anchor
 ORDER BY anchor_id DESC
 LIMIT 1;

-- claim_audit_walk --
-- Take the right to walk the trail. False: another worker is at it.
SELECT pg_try_advisory_lock($1);

-- release_audit_walk --
-- Give it back.
SELECT pg_advisory_unlock($1);

-- put_audit_anchor --
-- Note the head that a walk came to, from where it walked, and what was wrong.
INSERT INTO audit_anchor (seq, hash, walked_from, faults) VALUES ($1, $2, $3, $4::jsonb);
