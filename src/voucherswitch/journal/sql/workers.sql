-- renew_worker --
-- Say that this process lives, and which vault keys it has. The first time it registers; it does so again when its row was forgotten meanwhile.
INSERT INTO worker AS w (worker_id, role, host, pid, expires_at, vault_keys, vault_seals)
VALUES ($1, $2, $3, $4, clock_timestamp() + $5::integer * interval '1 second', $6, $7)
ON CONFLICT (worker_id) DO UPDATE SET (expires_at, vault_keys, vault_seals)
                                    = (excluded.expires_at, excluded.vault_keys, excluded.vault_seals);

-- forget_workers --
-- Forget the long dead: a worker without a row counts as dead all the same.
DELETE FROM worker WHERE expires_at < clock_timestamp() - $1::integer * interval '1 second';

-- release_worker --
-- This process has ended its calls and makes no more: nobody waits for its lease to run out.
DELETE FROM worker WHERE worker_id = $1;

-- count_workers --
-- The workers that live, this one included: what a fair share of the lanes is computed from.
SELECT count(*) FILTER (WHERE worker_id <> $1) + 1
  FROM worker
 WHERE role = 'worker' AND expires_at > clock_timestamp();
