-- load_oauth_clients --
SELECT client_id AS id, originator_id, secret_hash, grants, scopes, enabled,
       (extract(epoch FROM added_at) * 1000000)::bigint AS registration
  FROM oauth_client ORDER BY client_id;

-- load_token_keys --
SELECT kid, state, public, sealed FROM token_key ORDER BY made_at, kid;

-- add_oauth_client --
-- Register a client, unless its originator has $6 of them already: then no row.
INSERT INTO oauth_client (client_id, originator_id, secret_hash, grants, scopes)
SELECT $1, $2, $3, $4, $5
 WHERE (SELECT count(*) FROM oauth_client WHERE originator_id = $2) < $6
RETURNING client_id;

-- set_client_secret --
-- Replace a client's secret. No row: there is no such client of this originator.
UPDATE oauth_client SET secret_hash = $3, secret_at = clock_timestamp()
 WHERE client_id = $1 AND originator_id = $2 RETURNING client_id;

-- enable_client --
-- Let a client fetch and use tokens, or not. No row: there is no such client of this originator.
UPDATE oauth_client SET enabled = $3 WHERE client_id = $1 AND originator_id = $2 RETURNING client_id;

-- remove_client --
-- Forget a client and its log-ins; its tokens count no more. No row: there is no such client of this originator.
DELETE FROM oauth_client WHERE client_id = $1 AND originator_id = $2 RETURNING client_id;

-- revoke_all_tokens --
-- Make every token of an originator worthless, log-ins included. No row: there is no such originator.
UPDATE originator SET token_generation = token_generation + 1, tokens_revoked_at = clock_timestamp()
 WHERE originator_id = $1 RETURNING token_generation;

-- token_key_times --
-- How old each key is, in seconds: since it was made, since it signs, since it was retired.
SELECT kid, state, extract(epoch FROM clock_timestamp() - made_at)::float8 AS made_s,
       extract(epoch FROM clock_timestamp() - activated_at)::float8 AS active_s,
       extract(epoch FROM clock_timestamp() - retired_at)::float8 AS retired_s, made_at, activated_at, retired_at
  FROM token_key ORDER BY made_at, kid;

-- add_token_key --
-- Keep a new key. No row: somebody else made one of this state meanwhile.
INSERT INTO token_key (kid, state, public, sealed, activated_at)
VALUES ($1, $2::smallint, $3, $4, CASE WHEN $2::smallint = 2 THEN clock_timestamp() END)
ON CONFLICT DO NOTHING RETURNING kid;

-- move_token_key --
-- Take a key from one state to the next. No row: somebody else did.
UPDATE token_key
   SET state = $3::smallint,
       activated_at = coalesce(activated_at, clock_timestamp()),
       retired_at = CASE WHEN $3::smallint = 3 THEN clock_timestamp() END
 WHERE kid = $1 AND state = $2 RETURNING kid;

-- drop_token_keys --
-- Forget keys; what they signed counts no more.
DELETE FROM token_key WHERE kid = ANY ($1::text[]);

-- add_refresh_token --
-- Keep a new log-in for $7 seconds, and forget the originator's oldest ones beyond the newest $8 - 1. No row: the
-- originator, or its tokens, are not what they were when its password was checked.
WITH surplus AS (
    DELETE FROM refresh_token
     WHERE family IN (SELECT family FROM refresh_token WHERE originator_id = $3 ORDER BY issued_at DESC OFFSET $8 - 1)
)
INSERT INTO refresh_token (family, token_hash, originator_id, client_id, generation, scopes, expires_at)
SELECT $1, $2, originator_id, $4, $5, $6, clock_timestamp() + make_interval(secs => $7)
  FROM originator WHERE originator_id = $3 AND enabled AND token_generation = $5
RETURNING family;

-- rotate_refresh_token --
-- Exchange the refresh token $3 for $4. The one before it is exchanged again for $5 seconds: its answer may have been
-- lost. No row: it is neither; see end_refresh_token.
UPDATE refresh_token AS r
   SET previous_hash = $3,
       rotated_at = CASE WHEN token_hash = $3 THEN clock_timestamp() ELSE rotated_at END,
       token_hash = $4
  FROM originator AS o
 WHERE r.family = $1 AND r.client_id = $2 AND r.expires_at > clock_timestamp()
   AND (r.token_hash = $3
        OR r.previous_hash = $3 AND r.rotated_at > clock_timestamp() - make_interval(secs => $5))
   AND o.originator_id = r.originator_id AND o.enabled AND o.token_generation = r.generation
RETURNING r.originator_id, r.scopes, r.generation;

-- end_refresh_token --
-- End a log-in. `replayed`: while it still counted, with a token that had been exchanged before. No row: it is over.
DELETE FROM refresh_token AS r USING originator AS o
 WHERE r.family = $1 AND r.client_id = $2 AND o.originator_id = r.originator_id
RETURNING r.originator_id,
          r.token_hash <> $3 AND r.expires_at > clock_timestamp() AND o.token_generation = r.generation AS replayed;

-- revoke_token --
-- Revoke an access token, or all of a log-in, for the $3 seconds that one may still have to run.
WITH raised AS (
    UPDATE token_revocation_version SET version = version + 1 RETURNING version
)
INSERT INTO token_revocation (token_id, originator_id, version, expires_at)
SELECT $1, $2, version, clock_timestamp() + make_interval(secs => $3) FROM raised
ON CONFLICT DO NOTHING;

-- count_revocations --
-- How many revocations of an originator are kept, up to $2.
SELECT count(*) FROM (SELECT FROM token_revocation WHERE originator_id = $1 LIMIT $2) AS kept;

-- revocation_version --
-- Tells whether somebody has revoked a token since.
SELECT version FROM token_revocation_version;

-- revocations_since --
-- Reads what was revoked after a version; every one of an earlier version is committed by then.
SELECT token_id, extract(epoch FROM expires_at)::float8 AS expires_at
  FROM token_revocation WHERE version > $1 AND expires_at > clock_timestamp();

-- forget_tokens --
-- Forget log-ins and revocations that are over.
WITH ended AS (
    DELETE FROM refresh_token WHERE expires_at < clock_timestamp()
)
DELETE FROM token_revocation WHERE expires_at < clock_timestamp();
