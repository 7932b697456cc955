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
