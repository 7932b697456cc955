-- catalogue_version --
SELECT version FROM catalogue_version;

-- load_originators --
SELECT originator_id AS id, name, password_hash, enabled, single, deadline_s, allow_request_id_reuse,
       provision_decline_status, settle_only_confirmed, redemption, lookup_before_redemption, product_lookup,
       catalogue_kept, lookup_pending_status, single_confirm_delay_s, tolerated_fields, receivers,
       sources, requests_per_s, ARRAY(SELECT coalesce(fingerprint, subject) FROM originator_certificate AS held
                       WHERE held.originator_id = originator.originator_id) AS certificates,
       token_generation, tokens_revoked_at
  FROM originator ORDER BY originator_id;

-- load_voucher_providers --
SELECT receiver_id, name, settlement_id, settlement_name FROM voucher_provider ORDER BY receiver_id;

-- load_products --
SELECT product_id AS id, receiver_id, name, barcode, description, amount_cents, min_cents, max_cents, enabled, listed,
       channels
  FROM product ORDER BY product_id;

-- load_routes --
SELECT route_id AS id, product_id, receiver_id, provider_id, provider_product, default_cents, priority, weight, enabled
  FROM route ORDER BY receiver_id, product_id NULLS FIRST, priority, route_id;

-- load_providers --
SELECT provider_id AS id, connector, settings, secrets, enabled, saf_paused FROM provider ORDER BY provider_id;

-- load_maintenance --
SELECT window_id AS id, provider_id, starts_at, ends_at, reason
  FROM maintenance WHERE ends_at > clock_timestamp() ORDER BY starts_at, window_id;

-- put_voucher_provider --
INSERT INTO voucher_provider (receiver_id, name, settlement_id, settlement_name) VALUES ($1, $2, $3, $4)
ON CONFLICT (receiver_id) DO UPDATE
   SET name = excluded.name, settlement_id = excluded.settlement_id, settlement_name = excluded.settlement_name;

-- put_provider --
INSERT INTO provider (provider_id, connector, settings, secrets, enabled) VALUES ($1, $2, $3, $4, $5)
ON CONFLICT (provider_id) DO UPDATE
   SET connector = excluded.connector, settings = excluded.settings, secrets = excluded.secrets,
       enabled = excluded.enabled, changed_at = clock_timestamp();

-- put_product --
INSERT INTO product (product_id, receiver_id, name, barcode, description, amount_cents, min_cents, max_cents, enabled,
                     listed, channels)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
ON CONFLICT (product_id) DO UPDATE
   SET receiver_id = excluded.receiver_id, name = excluded.name, barcode = excluded.barcode,
       description = excluded.description, amount_cents = excluded.amount_cents, min_cents = excluded.min_cents,
       max_cents = excluded.max_cents, enabled = excluded.enabled, listed = excluded.listed,
       channels = excluded.channels;

-- put_route --
INSERT INTO route (product_id, receiver_id, provider_id, provider_product, default_cents, priority, weight, enabled)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8)
ON CONFLICT (coalesce(product_id, ''), receiver_id, provider_id, provider_product) DO UPDATE
   SET default_cents = excluded.default_cents, priority = excluded.priority, weight = excluded.weight,
       enabled = excluded.enabled
RETURNING route_id;

-- note_provider_faults --
-- What keeps providers from being used, as the worker found it with the newest settings: all of it, and nothing else.
WITH mended AS (
    DELETE FROM provider_fault WHERE provider_id <> ALL ($1::text[])
)
INSERT INTO provider_fault AS f (provider_id, fault) SELECT * FROM unnest($1::text[], $2::text[])
ON CONFLICT (provider_id) DO UPDATE
   SET fault = excluded.fault,
       since = CASE WHEN f.fault = excluded.fault THEN f.since ELSE clock_timestamp() END;

-- pause_saf --
UPDATE provider SET saf_paused = $2, changed_at = clock_timestamp() WHERE provider_id = $1 RETURNING provider_id;

-- hold_provider --
-- Make changes to what belongs to a provider wait for each other. No row: there is no such provider.
SELECT provider_id FROM provider WHERE provider_id = $1 FOR UPDATE;

-- add_maintenance --
-- Agree on a window; those that were over $6 days ago are forgotten. No row: $5 windows are ahead already.
WITH forgotten AS (
    DELETE FROM maintenance
     WHERE provider_id = $1 AND ends_at < clock_timestamp() - $6::integer * interval '1 day'
)
INSERT INTO maintenance (provider_id, starts_at, ends_at, reason)
SELECT $1, $2::timestamptz, $3::timestamptz, $4
 WHERE (SELECT count(*) FROM maintenance WHERE provider_id = $1 AND ends_at > clock_timestamp()) < $5::integer
RETURNING window_id;

-- end_maintenance --
-- End a window now: one that runs is over, one that has not begun never was. No row: there is none, or it is over.
WITH cancelled AS (
    DELETE FROM maintenance WHERE window_id = $1 AND starts_at >= clock_timestamp() RETURNING provider_id
), ended AS (
    UPDATE maintenance SET ends_at = clock_timestamp()
     WHERE window_id = $1 AND starts_at < clock_timestamp() AND ends_at > clock_timestamp() RETURNING provider_id
)
SELECT provider_id, true AS had_begun FROM ended UNION ALL SELECT provider_id, false FROM cancelled;

-- list_maintenance --
-- Windows that run or lie ahead, and those of the last days, of one provider or ($1 NULL) of all.
SELECT window_id AS id, provider_id, starts_at, ends_at, reason
  FROM maintenance WHERE $1::text IS NULL OR provider_id = $1 ORDER BY provider_id, starts_at, window_id LIMIT $2;
