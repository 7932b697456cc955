-- 0001_pre_initial.sql (run by its Alembic revision): the journal, the catalogue and who may speak.
-- request_id leads every key of transaction, leg and advice: one request's rows live together (design §4).

-- What is written all day says itself when it is vacuumed: the server's default, a fifth of all rows, is a million too late.
CREATE TABLE transaction (
    request_id            uuid NOT NULL,               -- the originator's id, compared without regard to case
    generation            smallint NOT NULL DEFAULT 0, -- above 0 only where an originator may use ids again (I5)
    reference             bigint GENERATED ALWAYS AS IDENTITY, -- our own reference, told to the originator as VSW-…
    kind                  smallint NOT NULL,           -- 1 provision, 2 redemption, 3 refund
    state                 smallint NOT NULL,           -- message/states.py State
    has_request           boolean NOT NULL DEFAULT true, -- false: a tombstone, a reversal that came first
    originator_id         text NOT NULL,
    single                boolean NOT NULL DEFAULT false, -- the originator's messaging mode when it asked
    receiver_id           text,
    product_id            text,
    provider_id           text,                        -- who was, or is about to be, asked
    provider_product      text,
    merchant_id           text,                        -- where it was asked for: finance knows it by these
    terminal_id           text,
    amount_cents          bigint,
    currency              text,
    approved_cents        bigint,
    balance_cents         bigint,
    fingerprint           bytea,                       -- keyed hash of the voucher code
    voucher_serial        text,
    provider_ref          text,
    refs                  jsonb,                       -- what the provider must hear again; never a PIN
    request               bytea,                       -- sealed: the request without PINs
    answer                bytea,                       -- sealed: voucher and approval
    error                 jsonb,                       -- the decline as it was told
    alert                 text,                        -- why an operator should look
    answered_status       smallint,                    -- HTTP status the request was answered with
    redemption_id         uuid,                        -- refunds: the redemption given back
    redemption_generation smallint,
    confirmation_id       uuid,
    reversal_id           uuid,                        -- the newest reversal's id, of a tombstone too
    opening               bigint NOT NULL DEFAULT 0,   -- tells our own row from another's after a lost connection
    opened_at             timestamptz NOT NULL DEFAULT clock_timestamp(),
    call_until            timestamptz,                 -- a provider call may be running until then; NULL: none is
    worker_id             bigint,                      -- whose call it is, or was: that worker ends it while it lives
    call_ended_at         timestamptz,                 -- the last call was over then; NULL: it runs, or its worker died
    resolve_at            timestamptz NOT NULL DEFAULT clock_timestamp(), -- while open: the resolver looks at it then
    resolve_attempts      integer NOT NULL DEFAULT 0,  -- how often the resolver has asked its provider
    changed_at            timestamptz NOT NULL DEFAULT clock_timestamp(),
    archived_in           bigint,                      -- archive_file.batch: the rest of the row is there, not here
    PRIMARY KEY (request_id, generation),
    CHECK (kind BETWEEN 1 AND 3),
    CHECK (state BETWEEN 1 AND 6),
    CHECK (has_request OR state = 6)
) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.02);
CREATE INDEX transaction_fingerprint ON transaction (fingerprint) WHERE fingerprint IS NOT NULL;
CREATE INDEX transaction_serial ON transaction (voucher_serial) WHERE voucher_serial IS NOT NULL;
CREATE INDEX transaction_open ON transaction (provider_id, resolve_at) WHERE state IN (1, 4);
CREATE INDEX transaction_lapsing ON transaction ((refs ->> 'reservedUntil')) WHERE state = 2 AND refs ? 'reservedUntil';
CREATE INDEX transaction_opened ON transaction (opened_at, request_id, generation); -- operators page through time
CREATE UNIQUE INDEX transaction_reference ON transaction (reference);
CREATE INDEX transaction_tombstone ON transaction (reversal_id) WHERE NOT has_request;
-- What changed lately, for the minute check: block ranges cost a write next to nothing, and keep updates in their page.
CREATE INDEX transaction_changed ON transaction USING brin (changed_at) WITH (pages_per_range = 32);

CREATE TABLE voucher (
    fingerprint           bytea NOT NULL,
    receiver_id           text NOT NULL,
    state                 smallint NOT NULL,           -- message/states.py VoucherState
    state_before          smallint,                    -- before the refund that made it REFUNDED
    provision_id          uuid,                        -- NULL: it was not sold here (O9), and its provider is named below
    provider_id           text,
    provider_product      text,
    redemption_id         uuid,                        -- the redemption that made the present state
    redemption_generation smallint,
    refund_id             uuid,                        -- the refund that made the present state
    refund_generation     smallint,
    open_id               uuid,                        -- the redemption or refund that is open on it (X4)
    open_generation       smallint,
    changed_at            timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (fingerprint, receiver_id),
    CHECK (state BETWEEN 1 AND 4),
    CHECK (provision_id IS NOT NULL OR (provider_id IS NOT NULL AND provider_product IS NOT NULL))
) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.02);
CREATE INDEX voucher_changed ON voucher USING brin (changed_at) WITH (pages_per_range = 32);

CREATE TABLE voucher_lookup (                          -- only for originators that must look up before they redeem
    fingerprint           bytea NOT NULL,
    receiver_id           text NOT NULL,
    originator_id         text NOT NULL,
    looked_up_at          timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (fingerprint, receiver_id, originator_id)
);

CREATE TABLE leg (
    request_id            uuid NOT NULL,
    generation            smallint NOT NULL,
    leg_id                bigint GENERATED ALWAYS AS IDENTITY,
    advice_id             uuid,
    direction             smallint NOT NULL,           -- 1 originator to us, 2 us to a provider
    peer                  text NOT NULL,
    operation             text NOT NULL,
    started_at            timestamptz NOT NULL,
    duration_us           integer NOT NULL,
    outcome               smallint NOT NULL,           -- message/trace.py LegOutcome
    status                smallint,
    request               text NOT NULL,               -- masked
    response              text,                        -- masked
    error                 text,
    PRIMARY KEY (request_id, started_at, leg_id)
) PARTITION BY RANGE (started_at);
CREATE TABLE leg_default PARTITION OF leg DEFAULT;     -- catches what no day partition takes, so that no trace is lost

CREATE TABLE advice (
    request_id            uuid NOT NULL,
    generation            smallint NOT NULL,
    advice_id             uuid NOT NULL,
    seq                   bigint GENERATED ALWAYS AS IDENTITY, -- order of creation
    kind                  smallint NOT NULL,           -- 1 confirmation, 2 reversal
    request_kind          smallint NOT NULL,
    state                 smallint NOT NULL,           -- message/states.py AdviceState
    by_switch             boolean NOT NULL DEFAULT false, -- sent for a single-message originator (A10)
    originator_id         text NOT NULL,
    provider_id           text,
    lane                  smallint NOT NULL,
    fingerprint           bytea,                       -- orders advices of one voucher before its next request (A6)
    reason                text,
    amount_cents          bigint,                      -- NULL: the advice is for the whole
    attempts              integer NOT NULL DEFAULT 0,
    next_attempt_at       timestamptz NOT NULL DEFAULT clock_timestamp(),
    not_before            timestamptz,                 -- the request's own call may still be running (X3)
    sending_until         timestamptz,                 -- somebody is sending it now
    last_error            text,
    created_at            timestamptz NOT NULL DEFAULT clock_timestamp(),
    finished_at           timestamptz,
    PRIMARY KEY (request_id, generation, advice_id)
) WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.05, autovacuum_analyze_scale_factor = 0.02);
CREATE UNIQUE INDEX advice_once ON advice (advice_id); -- I7: an advice id serves one request and one operation
CREATE INDEX advice_due ON advice (provider_id, next_attempt_at, lane) WHERE state = 1; -- read from its head, in order
CREATE INDEX advice_of_voucher ON advice (fingerprint) WHERE state = 1 AND fingerprint IS NOT NULL;
CREATE INDEX advice_parked ON advice (provider_id, seq) WHERE state = 4;
CREATE INDEX advice_at_risk ON advice (created_at) WHERE state = 3 AND kind = 2; -- reversals that nobody was told of
CREATE INDEX advice_finished ON advice USING brin (finished_at) WITH (pages_per_range = 32);

CREATE SEQUENCE archive_batch AS bigint;

CREATE TABLE archive_file (                            -- Parquet files: what was taken out of the journal, and where it is
    batch                 bigint NOT NULL,             -- rows that left together, in one transaction
    holds                 text NOT NULL,               -- transaction, advice or voucher
    path                  text NOT NULL,               -- below archive_dir
    rows                  integer NOT NULL,
    cents                 bigint NOT NULL,             -- sum of their amounts
    bytes                 bigint NOT NULL,
    sha256                bytea NOT NULL,
    vault_keys            smallint[] NOT NULL DEFAULT '{}', -- which sealed something in it
    archived_at           timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (batch, holds)
);

CREATE TABLE archived_advice (                         -- ids of archived advices: no advice id serves twice (I6, I7)
    advice_id             uuid PRIMARY KEY,
    request_id            uuid NOT NULL,
    generation            smallint NOT NULL,
    kind                  smallint NOT NULL,
    request_kind          smallint NOT NULL,
    state                 smallint NOT NULL,
    originator_id         text NOT NULL,
    batch                 bigint                       -- NULL: it came after its request was archived, and changed nothing
);

CREATE TABLE archive_sweep (                           -- how far the archiver has looked: it goes round, a part a night
    singleton             boolean PRIMARY KEY DEFAULT true CHECK (singleton),
    opened_at             timestamptz NOT NULL DEFAULT '-infinity',
    request_id            uuid NOT NULL DEFAULT '00000000-0000-0000-0000-000000000000',
    generation            smallint NOT NULL DEFAULT 0,
    finished_at           timestamptz NOT NULL DEFAULT '-infinity'
);
INSERT INTO archive_sweep DEFAULT VALUES;

-- Requests that somebody or something has still to settle: outcome open, advice owed or parked, money at risk. What is
-- known of them is never dropped or archived. Each part has its partial index.
CREATE VIEW unsettled AS
SELECT request_id FROM transaction WHERE state IN (1, 4)
UNION
SELECT request_id FROM advice WHERE state = 1
UNION
SELECT request_id FROM advice WHERE state = 4
UNION
SELECT request_id FROM advice WHERE state = 3 AND kind = 2 AND request_kind IN (1, 2);

CREATE TABLE lane (
    provider_id           text NOT NULL,
    lane                  smallint NOT NULL,
    holder                text,
    token                 bigint NOT NULL DEFAULT 0,   -- fencing: grows with every take-over
    expires_at            timestamptz NOT NULL DEFAULT '-infinity',
    PRIMARY KEY (provider_id, lane)
) WITH (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 500);

CREATE TABLE worker (                                  -- processes that call providers: each renews its lease while it lives
    worker_id             bigint PRIMARY KEY,          -- drawn by the process at its start, never used again
    role                  text NOT NULL,               -- switch, or worker: among those the lanes are shared out
    host                  text NOT NULL,
    pid                   integer NOT NULL,
    started_at            timestamptz NOT NULL DEFAULT clock_timestamp(),
    expires_at            timestamptz NOT NULL,
    vault_keys            smallint[] NOT NULL DEFAULT '{}', -- which it has
    vault_seals           smallint                     -- with which it seals
);

-- Whether the worker that began a call can still end it. A worker whose lease has run out counts as dead.
CREATE FUNCTION worker_lives(id bigint) RETURNS boolean LANGUAGE sql STABLE AS $$
    SELECT EXISTS (SELECT 1 FROM worker AS w WHERE w.worker_id = id AND w.expires_at > clock_timestamp())
$$;

CREATE TABLE provider_fault (                          -- providers that no worker can build a connector for
    provider_id           text PRIMARY KEY,
    fault                 text NOT NULL,               -- names the setting and what to set, never a value
    since                 timestamptz NOT NULL DEFAULT clock_timestamp()
);

CREATE TABLE provider_breaker (                        -- providers that failed again and again are passed over (0017)
    provider_id           text PRIMARY KEY,
    version               bigint NOT NULL DEFAULT 1,   -- grows with every change: fences off a probe that lost its claim
    opened_at             timestamptz,                 -- passed over since; NULL: closed, requests are sent
    openings              integer NOT NULL DEFAULT 0,  -- failures of its probes in a row: they lengthen the cool-down
    retry_at              timestamptz,                 -- from then on one call at a time may probe it
    probe_until           timestamptz,                 -- one is probing it until then at most
    reason                text,                        -- what failed last; never a body, never a secret
    closed_at             timestamptz,
    CHECK ((opened_at IS NULL) = (retry_at IS NULL))
) WITH (fillfactor = 50);

CREATE TABLE refusal (                                 -- refused before a record was made: no id is used up by it
    request_id            uuid NOT NULL,
    refusal_id            bigint GENERATED ALWAYS AS IDENTITY,
    originator_id         text NOT NULL,
    kind                  smallint NOT NULL,
    operation             text NOT NULL,
    refused_at            timestamptz NOT NULL DEFAULT clock_timestamp(),
    error                 jsonb NOT NULL,
    PRIMARY KEY (request_id, refusal_id)
);

CREATE TABLE invariant_check (                         -- the check of every minute: what it found, and who is at it
    singleton             boolean PRIMARY KEY DEFAULT true CHECK (singleton),
    started_at            timestamptz NOT NULL DEFAULT '-infinity',
    claimed_until         timestamptz NOT NULL DEFAULT '-infinity',
    checked_to            timestamptz NOT NULL DEFAULT clock_timestamp(), -- what changed before has been looked at
    finished_at           timestamptz,
    duration_ms           integer,
    findings              jsonb NOT NULL DEFAULT '[]'
);
INSERT INTO invariant_check DEFAULT VALUES;

CREATE TABLE resolution (                              -- unknown outcomes that an operator settled; nothing changes a row
    request_id            uuid NOT NULL,
    generation            smallint NOT NULL,
    resolution_id         bigint GENERATED ALWAYS AS IDENTITY,
    resolved_at           timestamptz NOT NULL DEFAULT clock_timestamp(),
    resolved_by           text NOT NULL,               -- the operator's account on the machine
    from_state            smallint NOT NULL,
    to_state              smallint NOT NULL,
    reason                text NOT NULL,
    evidence              text NOT NULL,               -- where it is written: a provider's file and line, a ticket
    PRIMARY KEY (request_id, generation, resolution_id)
);
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append-only', TG_TABLE_NAME;
END $$;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON resolution FOR EACH ROW EXECUTE FUNCTION refuse_change();

CREATE TABLE vault_key (                               -- the keys that seal or have sealed; the keys themselves are elsewhere (0027)
    key_id                smallint PRIMARY KEY CHECK (key_id BETWEEN 1 AND 255),
    known                 bytea NOT NULL,              -- a known text under this key: tells a wrong key before it does harm
    added_at              timestamptz NOT NULL DEFAULT clock_timestamp(),
    seals_since           timestamptz,                 -- the newest of those that have one seals; NULL: not every process has it yet
    retired_at            timestamptz                  -- nothing needs it any more; its number is not used again
);

CREATE TABLE vault_sweep (                             -- how far the worker is in sealing anew what older keys have sealed
    table_name            text PRIMARY KEY,
    key_id                smallint NOT NULL,           -- the key that seals
    next_block            bigint NOT NULL DEFAULT 0,   -- of the table: the blocks before it have been looked through
    resealed              bigint NOT NULL DEFAULT 0,   -- values
    unopened              bigint NOT NULL DEFAULT 0,   -- values of older keys that do not open, found on this way
    finished_at           timestamptz                  -- then a count of the whole table found no other value of an older key
);

CREATE TABLE originator (
    originator_id         text PRIMARY KEY,
    name                  text NOT NULL,
    password_hash         text NOT NULL,
    enabled               boolean NOT NULL DEFAULT true,
    single                boolean NOT NULL DEFAULT false,
    deadline_s            smallint NOT NULL DEFAULT 60,
    allow_request_id_reuse boolean NOT NULL DEFAULT false,
    provision_decline_status smallint NOT NULL DEFAULT 400,
    settle_only_confirmed boolean NOT NULL DEFAULT false,
    redemption            boolean NOT NULL DEFAULT false,
    lookup_before_redemption boolean NOT NULL DEFAULT false,
    product_lookup        boolean NOT NULL DEFAULT false,
    catalogue_kept        boolean NOT NULL DEFAULT true,
    lookup_pending_status smallint NOT NULL DEFAULT 504,
    single_confirm_delay_s integer,                    -- NULL: deadline_s + 15
    tolerated_fields      text[] NOT NULL DEFAULT '{}',
    receivers             text[],                      -- NULL: entitled for every voucher provider
    sources               cidr[],                      -- NULL: from wherever the listener admits
    requests_per_s        integer,                     -- per switch worker; NULL: as many as come
    token_generation      integer NOT NULL DEFAULT 0,  -- our tokens of an older one do not count
    tokens_revoked_at     timestamptz,                 -- an outside issuer's tokens count if they were issued later
    changed_at            timestamptz NOT NULL DEFAULT clock_timestamp(),
    CHECK (deadline_s BETWEEN 2 AND 300),
    CHECK (provision_decline_status IN (400, 404)),
    CHECK (lookup_pending_status IN (102, 504)),
    CHECK (cardinality(sources) BETWEEN 1 AND 64),
    CHECK (requests_per_s BETWEEN 1 AND 100000),
    CHECK (NOT lookup_before_redemption OR redemption)
);

CREATE TABLE provider (
    provider_id           text PRIMARY KEY,
    connector             text NOT NULL,
    settings              jsonb NOT NULL DEFAULT '{}',
    secrets               bytea,                       -- sealed: the settings that nobody may read
    enabled               boolean NOT NULL DEFAULT true,
    saf_paused            boolean NOT NULL DEFAULT false,
    changed_at            timestamptz NOT NULL DEFAULT clock_timestamp()
);

CREATE TABLE maintenance (                             -- when providers are not to be asked, as agreed with them
    window_id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    provider_id           text NOT NULL REFERENCES provider ON DELETE CASCADE,
    starts_at             timestamptz NOT NULL,
    ends_at               timestamptz NOT NULL,
    reason                text NOT NULL,
    CHECK (ends_at > starts_at)
);
CREATE INDEX maintenance_ends ON maintenance (provider_id, ends_at);

CREATE VIEW provider_shut AS                           -- in words, for people: providers that are not asked now, and why
SELECT p.provider_id,
       coalesce((SELECT 'maintenance until ' || to_char(max(m.ends_at) AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS')
                        || ' UTC: ' || (array_agg(m.reason ORDER BY m.ends_at DESC))[1]
                   FROM maintenance AS m
                  WHERE m.provider_id = p.provider_id AND m.starts_at <= clock_timestamp()
                    AND m.ends_at > clock_timestamp()
                 HAVING count(*) > 0),
                'circuit breaker open since ' || to_char(b.opened_at AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS')
                || ' UTC: ' || coalesce(b.reason, '')) AS why
  FROM provider AS p
  LEFT JOIN provider_breaker AS b ON b.provider_id = p.provider_id AND b.opened_at IS NOT NULL;

CREATE TABLE voucher_provider (
    receiver_id           text PRIMARY KEY,
    name                  text NOT NULL,
    settlement_id         text NOT NULL,
    settlement_name       text NOT NULL
);

CREATE TABLE product (
    product_id            text PRIMARY KEY,
    receiver_id           text NOT NULL REFERENCES voucher_provider,
    name                  text NOT NULL,
    barcode               text,
    description           text,
    amount_cents          bigint,                      -- fixed value
    min_cents             bigint,                      -- limits of a variable value
    max_cents             bigint,
    enabled               boolean NOT NULL DEFAULT true,
    listed                boolean NOT NULL DEFAULT true, -- false: sold, but not shown in product lookups
    channels              jsonb NOT NULL DEFAULT '[]',
    CHECK ((amount_cents IS NULL) <> (min_cents IS NULL)),
    CHECK ((min_cents IS NULL) = (max_cents IS NULL)),
    CHECK (amount_cents > 0),
    CHECK (min_cents > 0 AND max_cents >= min_cents)
);

CREATE TABLE route (
    route_id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    product_id            text REFERENCES product,     -- NULL: requests that name only the voucher provider
    receiver_id           text NOT NULL REFERENCES voucher_provider,
    provider_id           text NOT NULL REFERENCES provider,
    provider_product      text NOT NULL,
    default_cents         bigint,                      -- value when neither the request nor the product names one
    priority              smallint NOT NULL DEFAULT 1, -- lowest first
    weight                smallint NOT NULL DEFAULT 1, -- share among routes of the same priority
    enabled               boolean NOT NULL DEFAULT true,
    CHECK (weight BETWEEN 1 AND 1000),
    CHECK (default_cents > 0)
);
CREATE UNIQUE INDEX route_once ON route (coalesce(product_id, ''), receiver_id, provider_id, provider_product);

CREATE TABLE catalogue_version (
    singleton             boolean PRIMARY KEY DEFAULT true CHECK (singleton),
    version               bigint NOT NULL DEFAULT 1,
    changed_at            timestamptz NOT NULL DEFAULT clock_timestamp()
);
INSERT INTO catalogue_version DEFAULT VALUES;

CREATE FUNCTION bump_catalogue_version() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE catalogue_version SET version = version + 1, changed_at = clock_timestamp();
    RETURN NULL;
END $$;
CREATE TRIGGER changed AFTER INSERT OR UPDATE OR DELETE ON originator FOR EACH STATEMENT EXECUTE FUNCTION bump_catalogue_version();

CREATE TABLE originator_certificate (                  -- who has any must present one of them (N11)
    originator_id text NOT NULL REFERENCES originator ON DELETE CASCADE,
    fingerprint   text,                                -- SHA-256 of the certificate's DER, hex
    subject       text,                                -- RFC 4514: any certificate of this name that our authority issued
    added_at      timestamptz NOT NULL DEFAULT clock_timestamp(),
    CHECK ((fingerprint IS NULL) <> (subject IS NULL)),
    CHECK (fingerprint ~ '^[0-9a-f]{64}$'),
    UNIQUE NULLS NOT DISTINCT (originator_id, fingerprint, subject)
);
CREATE TRIGGER changed AFTER INSERT OR UPDATE OR DELETE ON originator_certificate FOR EACH STATEMENT EXECUTE FUNCTION bump_catalogue_version();
CREATE TRIGGER changed AFTER INSERT OR UPDATE OR DELETE ON vault_key FOR EACH STATEMENT EXECUTE FUNCTION bump_catalogue_version();
CREATE TRIGGER changed AFTER INSERT OR UPDATE OR DELETE ON provider FOR EACH STATEMENT EXECUTE FUNCTION bump_catalogue_version();
CREATE TRIGGER changed AFTER INSERT OR UPDATE OR DELETE ON maintenance FOR EACH STATEMENT EXECUTE FUNCTION bump_catalogue_version();
CREATE TRIGGER changed AFTER INSERT OR UPDATE OR DELETE ON voucher_provider FOR EACH STATEMENT EXECUTE FUNCTION bump_catalogue_version();
CREATE TRIGGER changed AFTER INSERT OR UPDATE OR DELETE ON product FOR EACH STATEMENT EXECUTE FUNCTION bump_catalogue_version();
CREATE TRIGGER changed AFTER INSERT OR UPDATE OR DELETE ON route FOR EACH STATEMENT EXECUTE FUNCTION bump_catalogue_version();

CREATE TABLE oauth_client (                            -- programs that fetch tokens in an originator's name (0026)
    client_id             text PRIMARY KEY,
    originator_id         text NOT NULL REFERENCES originator ON DELETE CASCADE,
    secret_hash           text NOT NULL,
    grants                text[] NOT NULL,
    scopes                text[] NOT NULL,
    enabled               boolean NOT NULL DEFAULT true,
    added_at              timestamptz NOT NULL DEFAULT clock_timestamp(),
    secret_at             timestamptz NOT NULL DEFAULT clock_timestamp(), -- when the present secret was made
    CHECK (cardinality(grants) > 0 AND grants <@ ARRAY['client_credentials', 'password', 'refresh_token']),
    CHECK (cardinality(scopes) > 0
           AND scopes <@ ARRAY['suv.provision', 'suv.redeem', 'suv.refund', 'suv.lookup', 'suv.products'])
);
CREATE TRIGGER changed AFTER INSERT OR UPDATE OR DELETE ON oauth_client FOR EACH STATEMENT EXECUTE FUNCTION bump_catalogue_version();

CREATE TABLE token_key (                               -- keys that sign our tokens
    kid                   text PRIMARY KEY,            -- RFC 7638
    state                 smallint NOT NULL,           -- 1 next, 2 active, 3 retired
    public                text NOT NULL,               -- JWK
    sealed                bytea NOT NULL,              -- sealed: the private JWK
    made_at               timestamptz NOT NULL DEFAULT clock_timestamp(),
    activated_at          timestamptz,
    retired_at            timestamptz,
    CHECK (state BETWEEN 1 AND 3),
    CHECK ((state = 1) = (activated_at IS NULL) AND (state = 3) = (retired_at IS NOT NULL))
);
CREATE UNIQUE INDEX token_key_one_each ON token_key (state) WHERE state IN (1, 2);
CREATE TRIGGER changed AFTER INSERT OR UPDATE OR DELETE ON token_key FOR EACH STATEMENT EXECUTE FUNCTION bump_catalogue_version();

CREATE TABLE refresh_token (                           -- one row a log-in: the refresh token that counts, and the one before
    family                uuid PRIMARY KEY,
    token_hash            bytea NOT NULL,              -- SHA-256 of 256 random bits
    previous_hash         bytea,
    rotated_at            timestamptz,                 -- when the previous one was exchanged
    originator_id         text NOT NULL REFERENCES originator ON DELETE CASCADE,
    client_id             text NOT NULL REFERENCES oauth_client ON DELETE CASCADE,
    generation            integer NOT NULL,            -- the originator's token_generation at the log-in
    scopes                text[] NOT NULL,
    issued_at             timestamptz NOT NULL DEFAULT clock_timestamp(),
    expires_at            timestamptz NOT NULL
);
CREATE INDEX refresh_token_of ON refresh_token (originator_id, issued_at);
CREATE INDEX refresh_token_ends ON refresh_token (expires_at);

CREATE TABLE token_revocation (                        -- access tokens, or all of a log-in, that count no more
    token_id              uuid PRIMARY KEY,            -- its jti, or its sid
    originator_id         text NOT NULL REFERENCES originator ON DELETE CASCADE,
    version               bigint NOT NULL,             -- of token_revocation_version
    expires_at            timestamptz NOT NULL         -- when the last token that it is about has run out anyway
);
CREATE INDEX token_revocation_since ON token_revocation (version);
CREATE INDEX token_revocation_of ON token_revocation (originator_id);
CREATE TABLE token_revocation_version (                -- grows with every revocation; its lock orders them by commit
    singleton             boolean PRIMARY KEY DEFAULT true CHECK (singleton),
    version               bigint NOT NULL DEFAULT 0
);
INSERT INTO token_revocation_version DEFAULT VALUES;

CREATE TABLE restoration (                             -- the journal was restored: it has forgotten what came after restored_to
    restoration_id        bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    restored_to           timestamptz NOT NULL,
    marked_at             timestamptz NOT NULL DEFAULT clock_timestamp(),
    closed_at             timestamptz                  -- NULL: what is forgotten is not settled yet
);
CREATE UNIQUE INDEX restoration_open ON restoration ((true)) WHERE closed_at IS NULL;
CREATE TRIGGER changed AFTER INSERT OR UPDATE OR DELETE ON restoration FOR EACH STATEMENT EXECUTE FUNCTION bump_catalogue_version();

-- Adds the partitions of `leg` for the coming days; safe to call at any time and from several processes.
-- Attached instead of created in place: that takes no lock that an insert into another day waits for. A day that began
-- without its partition has rows in leg_default already and stays there: moving them would hold up the sales that write
-- more of them. They leave with that day (drop_leg_partitions).
CREATE FUNCTION make_leg_partitions(days integer) RETURNS integer LANGUAGE plpgsql SET lock_timeout = '2s' AS $$
DECLARE
    day date;
    made integer := 0;
    begins timestamptz;
    ends timestamptz;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('leg partitions'));
    FOR day IN SELECT generate_series((now() AT TIME ZONE 'UTC')::date, (now() AT TIME ZONE 'UTC')::date + days, interval '1 day')::date LOOP
        begins := day::timestamp AT TIME ZONE 'UTC';
        ends := (day + 1)::timestamp AT TIME ZONE 'UTC';
        CONTINUE WHEN to_regclass('leg_' || to_char(day, 'YYYYMMDD')) IS NOT NULL
                   OR EXISTS (SELECT FROM leg_default WHERE started_at >= begins AND started_at < ends);
        BEGIN
            EXECUTE format('CREATE TABLE %I (LIKE leg)', 'leg_' || to_char(day, 'YYYYMMDD'));
            EXECUTE format('ALTER TABLE leg ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)',
                           'leg_' || to_char(day, 'YYYYMMDD'), begins, ends);
            made := made + 1;
        EXCEPTION WHEN check_violation THEN  -- a row of that day came into leg_default just now
            NULL;
        END;
    END LOOP;
    RETURN made;
END $$;
SELECT make_leg_partitions(7);

-- People: who operates the switch, and what they did (backoffice §1).

CREATE TABLE audit_event (                             -- append only; each event is tied to the one before by its hash
    seq                   bigint PRIMARY KEY CHECK (seq > 0), -- without gaps
    at                    timestamptz NOT NULL,        -- whole milliseconds
    actor_kind            text NOT NULL CHECK (actor_kind IN ('user', 'cli', 'system')),
    actor_id              text NOT NULL,
    roles                 text[] NOT NULL DEFAULT '{}', -- of the actor at that moment
    session_id            text,
    ip                    text,
    correlation_id        text,
    action                text NOT NULL,               -- people/audit/actions.py
    object_kind           text NOT NULL,
    object_id             text,
    reason                text,
    approval_id           text,
    before                jsonb,                       -- masked; of a secret only that it was set or changed
    after                 jsonb,
    outcome               text NOT NULL CHECK (outcome IN ('OK', 'REFUSED', 'FAILED')),
    prev_hash             bytea NOT NULL CHECK (length(prev_hash) = 32),
    hash                  bytea NOT NULL CHECK (length(hash) = 32)
);
CREATE INDEX audit_event_at ON audit_event (at);
CREATE INDEX audit_event_object ON audit_event (object_id, seq) WHERE object_id IS NOT NULL;
CREATE INDEX audit_event_actor ON audit_event (actor_id, seq);

CREATE TABLE audit_anchor (                            -- where the trail went to each hour, as the workers walked it
    anchor_id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    anchored_at           timestamptz NOT NULL DEFAULT clock_timestamp(),
    seq                   bigint NOT NULL,
    hash                  bytea NOT NULL CHECK (length(hash) = 32),
    walked_from           bigint NOT NULL,             -- the event after which that walk began; 0: it walked all
    faults                jsonb NOT NULL DEFAULT '[]'
);

CREATE FUNCTION audit_follows() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    head record;
BEGIN
    SELECT seq, hash INTO head FROM audit_event ORDER BY seq DESC LIMIT 1;
    IF NEW.seq <> coalesce(head.seq, 0) + 1
       OR NEW.prev_hash <> coalesce(head.hash, decode(repeat('00', 32), 'hex')) THEN
        RAISE EXCEPTION 'audit event % does not follow the newest one', NEW.seq;
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER follows BEFORE INSERT ON audit_event FOR EACH ROW EXECUTE FUNCTION audit_follows();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON audit_event FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER not_emptied BEFORE TRUNCATE ON audit_event FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON audit_anchor FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER not_emptied BEFORE TRUNCATE ON audit_anchor FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

CREATE SEQUENCE operator_user_number;
CREATE TABLE operator_user (
    user_id               text PRIMARY KEY DEFAULT 'u-' || nextval('operator_user_number'),
    name                  text NOT NULL UNIQUE,        -- signs in with it; lower case
    full_name             text NOT NULL,
    email                 text,
    enabled               boolean NOT NULL DEFAULT true,
    password_hash         text,                        -- NULL: invited, or single sign-on only
    must_change           boolean NOT NULL DEFAULT false, -- a new password at the next sign-in
    factor                bytea,                       -- sealed: the secret of the second factor
    factor_pending        bytea,                       -- sealed: the next one, until a first code of it was right
    factor_step           bigint NOT NULL DEFAULT 0,   -- the newest time step that was used; none serves twice
    issuer                text,                        -- single sign-on: who vouches, and for whom
    subject               text,
    break_glass           boolean NOT NULL DEFAULT false, -- may use a password where only single sign-on may
    version               bigint NOT NULL DEFAULT 1,   -- grows with every change that others must agree to
    created_at            timestamptz NOT NULL DEFAULT clock_timestamp(),
    signed_in_at          timestamptz,
    CHECK (name = lower(name)),
    CHECK ((issuer IS NULL) = (subject IS NULL))
);
ALTER SEQUENCE operator_user_number OWNED BY operator_user.user_id;
CREATE UNIQUE INDEX operator_user_subject ON operator_user (issuer, subject) WHERE issuer IS NOT NULL;

CREATE TABLE operator_role (                           -- who holds which role: built in (people/roles.py) or custom
    user_id               text NOT NULL REFERENCES operator_user,
    role                  text NOT NULL,
    given_at              timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (user_id, role)
);

CREATE TABLE custom_role (
    role                  text PRIMARY KEY,
    description           text NOT NULL,
    permissions           text[] NOT NULL,
    version               bigint NOT NULL DEFAULT 1,
    changed_at            timestamptz NOT NULL DEFAULT clock_timestamp()
);

CREATE SEQUENCE operator_session_number;
CREATE TABLE operator_session (
    session_id            text PRIMARY KEY DEFAULT 's-' || nextval('operator_session_number'),
    token_hash            bytea NOT NULL UNIQUE,       -- SHA-256 of what the browser holds
    user_id               text NOT NULL REFERENCES operator_user,
    stage                 text NOT NULL CHECK (stage IN ('factor', 'password', 'enrol', 'open')), -- what is still to prove
    factor_proved         boolean NOT NULL,
    begun_at              timestamptz NOT NULL DEFAULT clock_timestamp(),
    seen_at               timestamptz NOT NULL DEFAULT clock_timestamp(),
    stepped_up_at         timestamptz,                 -- the second factor was entered again
    ip                    text,
    agent                 text,
    ended_at              timestamptz,
    ended                 text                         -- why
);
ALTER SEQUENCE operator_session_number OWNED BY operator_session.session_id;
CREATE INDEX operator_session_live ON operator_session (user_id, begun_at) WHERE ended_at IS NULL;

CREATE TABLE recovery_code (                           -- each takes the place of the second factor once
    user_id               text NOT NULL REFERENCES operator_user,
    code_hash             bytea NOT NULL,
    used_at               timestamptz,
    PRIMARY KEY (user_id, code_hash)
);

CREATE TABLE invitation (                              -- one-time links to set a password
    token_hash            bytea PRIMARY KEY,
    user_id               text NOT NULL REFERENCES operator_user,
    made_by               text NOT NULL,
    made_at               timestamptz NOT NULL DEFAULT clock_timestamp(),
    expires_at            timestamptz NOT NULL,
    used_at               timestamptz                  -- used, or replaced by a newer one
);

CREATE TABLE sign_in_guard (                           -- failed sign-ins of a name or an address, and until when it is shut
    guard_key             bytea PRIMARY KEY,           -- keyed hash: a password typed for a name is not kept
    failed_at             timestamptz[] NOT NULL DEFAULT '{}',
    run                   smallint NOT NULL DEFAULT 0, -- failures since the last success or lock
    shut_until            timestamptz,
    changed_at            timestamptz NOT NULL DEFAULT clock_timestamp()
);

CREATE TABLE pin_grant (                               -- who may reveal PINs until when, on top of a role
    grant_id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    user_id               text NOT NULL REFERENCES operator_user,
    reason                text NOT NULL,
    granted_at            timestamptz NOT NULL DEFAULT clock_timestamp(),
    expires_at            timestamptz NOT NULL,
    revoked_at            timestamptz,
    CHECK (expires_at > granted_at)
);

CREATE SEQUENCE approval_number;
CREATE TABLE approval (                                -- changes that two people must agree on; no row is ever deleted
    approval_id           text PRIMARY KEY DEFAULT 'a-' || nextval('approval_number'),
    action                text NOT NULL,
    object_kind           text NOT NULL,
    object_id             text NOT NULL,
    requested_by          text NOT NULL,
    requester             text[] NOT NULL,             -- everything that the requester signs in with
    requested_at          timestamptz NOT NULL DEFAULT clock_timestamp(),
    comment               text NOT NULL,
    payload               jsonb NOT NULL,              -- the change, as its action reads it
    before                jsonb,
    after                 jsonb,
    impact                text NOT NULL,               -- what it will do, in a sentence
    object_version        text,                        -- of the object when asked; moved since: STALE
    state                 text NOT NULL DEFAULT 'REQUESTED' CHECK (state IN
                              ('REQUESTED', 'APPROVED', 'EXECUTED', 'FAILED', 'REJECTED', 'WITHDRAWN', 'EXPIRED', 'STALE')),
    decided_by            text,
    decided_at            timestamptz,
    decision_comment      text,
    expires_at            timestamptz NOT NULL,
    result                text
);
ALTER SEQUENCE approval_number OWNED BY approval.approval_id;
CREATE UNIQUE INDEX approval_pending ON approval (action, object_kind, object_id) WHERE state = 'REQUESTED';

-- A decision is made once, and what was asked for does not change under whoever decides.
CREATE FUNCTION approval_decided_once() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF OLD.state NOT IN ('REQUESTED', 'APPROVED', 'FAILED')  -- what failed may be tried again
       OR (OLD.state <> 'REQUESTED' AND NEW.state IN ('REQUESTED', 'REJECTED'))
       OR (NEW.action, NEW.object_kind, NEW.object_id, NEW.requested_by, NEW.requester, NEW.requested_at, NEW.comment,
           NEW.payload, NEW.before, NEW.after, NEW.impact, NEW.object_version, NEW.expires_at)
          IS DISTINCT FROM
          (OLD.action, OLD.object_kind, OLD.object_id, OLD.requested_by, OLD.requester, OLD.requested_at, OLD.comment,
           OLD.payload, OLD.before, OLD.after, OLD.impact, OLD.object_version, OLD.expires_at) THEN
        RAISE EXCEPTION 'approval % is decided, or its request would change', OLD.approval_id;
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER decided_once BEFORE UPDATE ON approval FOR EACH ROW EXECUTE FUNCTION approval_decided_once();
CREATE TRIGGER never_deleted BEFORE DELETE ON approval FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER not_emptied BEFORE TRUNCATE ON approval FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

CREATE TABLE oidc_flow (                               -- single sign-ons that are under way at the identity provider
    state_hash            bytea PRIMARY KEY,
    browser_hash          bytea NOT NULL,              -- of what the browser that began it holds
    nonce                 text NOT NULL,
    verifier              text NOT NULL,               -- proves that who redeems the code is who began (PKCE)
    expires_at            timestamptz NOT NULL
);
