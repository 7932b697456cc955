-- vault_keys --
-- The keys that this journal knows of, the oldest first. No row: it is new.
SELECT key_id, known, added_at, seals_since, retired_at FROM vault_key ORDER BY key_id;

-- register_vault_key --
-- Note a key that somebody brings. The first one of all seals at once; a later one when every process has it. One that
-- is known stays as it is: whoever brings it compares.
INSERT INTO vault_key (key_id, known, seals_since)
VALUES ($1, $2, CASE WHEN NOT EXISTS (SELECT FROM vault_key) THEN clock_timestamp() END)
ON CONFLICT DO NOTHING;

-- seal_with_newest --
-- Let the newest key seal if every process that lives has it. No row: it seals already, or somebody lacks it.
UPDATE vault_key AS k SET seals_since = clock_timestamp()
 WHERE k.key_id = (SELECT max(key_id) FROM vault_key) AND k.seals_since IS NULL AND k.retired_at IS NULL
   AND NOT EXISTS (SELECT FROM worker AS w
                    WHERE w.expires_at > clock_timestamp() AND NOT w.vault_keys @> ARRAY[k.key_id])
RETURNING k.key_id;

-- sealing_otherwise --
-- The processes that live and do not seal with this key yet. No row: whatever is sealed from now on is under it.
SELECT host, pid, role, vault_keys, vault_seals
  FROM worker
 WHERE expires_at > clock_timestamp() AND vault_seals IS DISTINCT FROM $1
 ORDER BY host, pid
 LIMIT 100;

-- lacking_vault_key --
-- The processes that live and have not got this key. No row: it can seal.
SELECT host, pid, role, vault_keys, vault_seals
  FROM worker
 WHERE expires_at > clock_timestamp() AND NOT vault_keys @> ARRAY[$1::smallint]
 ORDER BY host, pid
 LIMIT 100;

-- begin_sweep --
-- Go on with a table, or begin anew because another key seals now.
INSERT INTO vault_sweep AS s (table_name, key_id) VALUES ($1, $2)
ON CONFLICT (table_name) DO UPDATE
   SET key_id = excluded.key_id,
       next_block = CASE WHEN s.key_id = excluded.key_id THEN s.next_block ELSE 0 END,
       resealed = CASE WHEN s.key_id = excluded.key_id THEN s.resealed ELSE 0 END,
       unopened = CASE WHEN s.key_id = excluded.key_id THEN s.unopened ELSE 0 END,
       finished_at = CASE WHEN s.key_id = excluded.key_id THEN s.finished_at END
RETURNING next_block, resealed, unopened, finished_at;

-- continue_sweep --
-- Note how far it is.
UPDATE vault_sweep
   SET next_block = $2, resealed = resealed + $3, unopened = unopened + $4
 WHERE table_name = $1;

-- repeat_sweep --
-- Begin anew: the end was reached, and something came from elsewhere meanwhile.
UPDATE vault_sweep SET next_block = 0, unopened = 0, finished_at = NULL WHERE table_name = $1;

-- finish_sweep --
-- Note that nothing is left but what does not open.
UPDATE vault_sweep SET finished_at = clock_timestamp() WHERE table_name = $1;

-- vault_sweeps --
-- How far each table is, and how many blocks it has.
SELECT table_name, key_id, next_block, resealed, unopened, finished_at,
       pg_relation_size(to_regclass(table_name)) / current_setting('block_size')::integer AS blocks
  FROM vault_sweep
 ORDER BY table_name;

-- vault_progress --
-- Which key seals, how many blocks are still to be looked through for what older ones have sealed, and what did not
-- open. A table without a walk under this key has all of it left while there are older keys.
SELECT c.key_id AS seals,
       coalesce(sum(s.blocks) FILTER (WHERE s.open), 0)::bigint AS blocks_left,
       coalesce(sum(s.unopened), 0)::bigint AS unopened
  FROM (SELECT max(key_id) AS key_id, count(*) FILTER (WHERE retired_at IS NULL) AS keys
          FROM vault_key WHERE seals_since IS NOT NULL) AS c
  LEFT JOIN LATERAL (
       SELECT greatest(pg_relation_size(to_regclass(t.name)) / current_setting('block_size')::integer
                       - coalesce(w.next_block, 0), 1) AS blocks,
              w.finished_at IS NULL AND c.keys > 1 AS open, w.unopened
         FROM unnest($1::text[]) AS t (name)
         LEFT JOIN vault_sweep AS w ON w.table_name = t.name AND w.key_id = c.key_id) AS s ON true
 GROUP BY c.key_id;

-- archived_vault_keys --
-- How many files of the archive hold values of each key.
SELECT key_id, count(*) AS files, min(archived_at) AS oldest
  FROM archive_file, unnest(vault_keys) AS key_id
 GROUP BY key_id
 ORDER BY key_id;

-- retire_vault_key --
-- No process needs to have it any more.
UPDATE vault_key SET retired_at = clock_timestamp() WHERE key_id = $1;
