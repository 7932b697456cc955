-- read_vouchers --
-- A code's vouchers, one per receiver: the same code may be sold by two of them.
-- The redemption is the one that a refund would give back: of the present state, else the newest confirmed one.
SELECT v.fingerprint, v.receiver_id, v.state, v.state_before, v.provision_id, v.redemption_id, v.redemption_generation,
       v.refund_id, v.refund_generation, v.open_id, v.open_generation,
       coalesce(p.provider_id, v.provider_id) AS provider_id,
       coalesce(p.provider_product, v.provider_product) AS provider_product, p.refs, p.voucher_serial, p.approved_cents, p.product_id, p.answer
  FROM voucher AS v
  LEFT JOIN transaction AS p ON p.request_id = v.provision_id AND p.generation = 0
 WHERE v.fingerprint = ANY ($1::bytea[])
 ORDER BY v.fingerprint, v.receiver_id;

-- adopt_voucher --
-- Take in a voucher that was sold elsewhere (O9), as if it had been confirmed here; one that is known stays as it is.
INSERT INTO voucher (fingerprint, receiver_id, state, provider_id, provider_product) VALUES ($1, $2, 1, $3, $4)
ON CONFLICT (fingerprint, receiver_id) DO NOTHING;

-- provisions_of_code --
-- Every provision whose voucher bears this code, oldest first.
SELECT t.*, 0 AS age_ms, 0 AS settled_ms, false AS call_running, false AS by_switch, false AS unsent, false AS archived
  FROM transaction AS t
 WHERE t.fingerprint = $1 AND t.kind = 1 AND t.state IN (2, 5, 6) AND t.answer IS NOT NULL
 ORDER BY t.opened_at;

-- provisions_of_serial --
-- Every provision whose voucher bears this serial number, oldest first.
SELECT t.*, 0 AS age_ms, 0 AS settled_ms, false AS call_running, false AS by_switch, false AS unsent, false AS archived
  FROM transaction AS t
 WHERE t.voucher_serial = $1 AND t.kind = 1 AND t.state IN (2, 5, 6) AND t.answer IS NOT NULL
 ORDER BY t.opened_at;

-- note_lookup --
-- Remember that this originator has looked the voucher up: it may redeem once.
INSERT INTO voucher_lookup (fingerprint, receiver_id, originator_id) VALUES ($1, $2, $3)
ON CONFLICT (fingerprint, receiver_id, originator_id) DO UPDATE SET looked_up_at = clock_timestamp();

-- looked_up --
SELECT true FROM voucher_lookup WHERE fingerprint = $1 AND receiver_id = $2 AND originator_id = $3;

-- last_refusal --
-- The newest refusal of an id that never became a record.
SELECT error FROM refusal
 WHERE request_id = $1 AND originator_id = $2 AND kind = $3
 ORDER BY refusal_id DESC LIMIT 1;
