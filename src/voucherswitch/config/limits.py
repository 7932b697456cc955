"""Bounds that are not settings: everything that can grow has one here, with the reason for its size.

A bound that an operator has a reason to move is a setting (settings.py); the rest is here.
"""

from typing import Final

# Requests: the largest valid message of the interface is under 20 KiB, so this is room to spare and no attack.
BODY_BYTES_MAX: Final = 64 * 1024

# Forms of Content-Type whose meaning a process remembers; originators send one or two.
CONTENT_TYPES_KEPT_MAX: Final = 64

# The deepest message of the interface nests 6 levels; more is an attack on the decoder's stack.
JSON_DEPTH_MAX: Final = 16

# The text of the vault's keys: 255 of them with notes are a third of this.
VAULT_KEY_TEXT_BYTES_MAX: Final = 64 * 1024
# What a key management service gets to answer, at a start and when a key is added.
VAULT_KEY_COMMAND_S: Final = 10.0

# A key that is known to the journal and not to this process: how often its source is asked again.
VAULT_LOOK_AGAIN_S: Final = 2.0
# How often the worker looks whether a new key may seal, and whether something is left under an older one.
VAULT_SWEEP_S: Final = 2.0
# What is sealed anew at a time: some 300 requests, whose rows are locked for a few milliseconds; and the pause after
# it, in which the sales have the disk to themselves.
VAULT_SWEEP_BLOCKS: Final = 64
VAULT_SWEEP_PAUSE_S: Final = 0.02
# Counting all that is sealed: a scan of the largest table.
VAULT_COUNT_S: Final = 600.0

# Objects that may come on top of those that went before Python looks for cycles among them. Its own 700 is less than a
# hundred requests in work hold, so that it looked at all of them again and again: a fifth of a sale's CPU time.
GARBAGE_YOUNG_MAX: Final = 50_000
# So many such looks until one at those that have survived one.
GARBAGE_LOOKS: Final = 20

# Lanes keep one request's advices in order. 16 keep 16 senders busy; each more is a lease to renew.
LANES_PER_PROVIDER: Final = 16

# Taking a day out of the trace needs a lock that every reader and writer of it waits behind while we wait for it: so
# short that no sale notices, tried so often, with a pause, and then again an hour later.
PARTITION_LOCK_MS: Final = 200
PARTITION_LOCK_TRIES: Final = 20
PARTITION_LOCK_PAUSE_S: Final = 0.5

# Rows that one statement deletes from leg_default.
LEG_DELETE_ROWS: Final = 5_000

# Requests that one batch of the archive looks at: its transaction takes about a second, its files some MB.
ARCHIVE_BATCH_ROWS: Final = 20_000
ARCHIVE_ROW_GROUP: Final = 20_480
# A batch that meets a change is chosen anew so often; records that are closed for months hardly ever change.
ARCHIVE_TRIES: Final = 3
# One statement of the archive, and the memory for making one file.
ARCHIVE_STATEMENT_S: Final = 300.0
ARCHIVE_MEMORY_MB: Final = 256
# How often the worker looks whether tonight's archiving is due, and how many requests a night looks at: what is left is
# looked at the night after.
ARCHIVE_CHECK_S: Final = 300.0
ARCHIVE_LOOK_AT_MAX: Final = 20_000_000

# The embedded server's connections: 64 workers, the most, with 4 journal connections each, the default ...
EMBEDDED_CONNECTIONS_MAX: Final = 300
# ... and this many kept for the worker, the console, the commands and a person with psql.
EMBEDDED_CONNECTIONS_RESERVED: Final = 40

# The embedded server's log is set aside at the next start when it is over this, and one old log is kept.
EMBEDDED_LOG_BYTES_MAX: Final = 16 * 1024 * 1024

# Crash recovery replays at most `max_wal_size`, which takes minutes on a slow disk. Giving up earlier mends nothing.
EMBEDDED_START_S_MAX: Final = 1800

# A stop writes back what is dirty in 256 MB of shared buffers; after that it is stopped without a checkpoint.
EMBEDDED_STOP_S_MAX: Final = 120

# Copying and checking a backup of the embedded database: a day, which is for hundreds of gigabytes on a slow disk.
BACKUP_S_MAX: Final = 86_400

# References told after a restore begin so far beyond the journal's last: what was told meanwhile is not told again.
REFERENCES_SKIPPED: Final = 1_000_000_000

# A child's line is passed on in pieces of this size, so that a child that never ends its line cannot fill our memory.
CHILD_LINE_BYTES_MAX: Final = 64 * 1024

# What a signal to stop may take for the children whose turn comes after the drain time is used up.
CHILD_LATE_STOP_S: Final = 2

# Log values deeper than this are cut: they are a mistake, and masking walks every level.
LOG_DEPTH_MAX: Final = 16

# A row waits this long for the database, its turn and every repeat included: an answer that came at the last moment
# is then still followed by ours (`answer_margin_s`). A failover takes longer; what comes of it then is written later.
JOURNAL_WAIT_S: Final = 4.5
JOURNAL_RETRY_PAUSE_S: Final = 0.1

# Outcomes that could not be written and are kept until the database is back. Each has an originator who was told 500,
# and without the database no new request is taken, so that in practice it is as many as are in work.
UNWRITTEN_OUTCOMES_MAX: Final = 10_000
UNWRITTEN_PAUSE_S: Final = 0.5
UNWRITTEN_BATCH_MAX: Final = 256

# A process that starts while the database does, or while it fails over, waits for it; then whoever started it decides.
DATABASE_START_S: Final = 15.0
DATABASE_START_PAUSE_S: Final = 0.5

# Opening a connection to PostgreSQL, and the longest statement of the hot path.
DATABASE_CONNECT_S: Final = 10.0
STATEMENT_TIMEOUT_S: Final = 10.0

# Of several hosts in DATABASE_URL each gets this long, so that one that is switched off leaves time for the others.
DATABASE_HOST_CONNECT_S: Final = 1.5

# A row that somebody else has locked fails its batch after this time, and its neighbours are written without it.
LOCK_TIMEOUT_S: Final = 1.0

# Connections that have not ended by then, such as those of a server that is gone without a word, are cut.
POOL_CLOSE_S: Final = 3.0

# A connection is made anew after so many statements, so that what its server process has learnt does not grow for ever.
# At a thousand commits a second asyncpg's own 50,000 would be a new connection, and all its plans, every minute.
POOL_QUERIES_MAX: Final = 10_000_000

# Statements that a connection keeps prepared, and the longest of them: a batch of 64 rows is a text of some 16 kB.
POOL_STATEMENTS_MAX: Final = 256
POOL_STATEMENT_BYTES_MAX: Final = 64 * 1024

# A race lost between reading and writing is judged again this often; each loss needs another writer in between.
JUDGEMENTS_MAX: Final = 5

# Waiting for another worker's call to end: the pause grows from the first to the second, in seconds.
WAIT_PAUSE_MIN_S: Final = 0.02
WAIT_PAUSE_MAX_S: Final = 0.25

# What the answer may still take after the provider's call has used up its share of the deadline.
CLOSE_RESERVE_S: Final = 0.25

# A call is over by its deadline; its end is written within this time, or it is written without an outcome.
CALL_END_SPARE_S: Final = 20.0
# ... so many of them with one renewal of the lease: what an outage left open is ended over several.
FORGOTTEN_CALLS_MAX: Final = 1_000

# An outcome that stayed unknown: the resolver asks first after this, which lets the last byte arrive, ...
RESOLVE_FIRST_MS: Final = 1_000
# ... gives one question this long, ...
RESOLVE_CALL_MS: Final = 20_000
# ... asks so often about what the provider says it has still in work, ...
RESOLVE_PENDING_MS: Final = 5_000
# ... looks again this late at what it can do nothing about: a provider's settings may have changed by then, ...
RESOLVE_NO_WAY_MS: Final = 900_000
# ... looks for work this often, ...
RESOLVE_POLL_S: Final = 1.0
# ... and takes back at most so many lapsed approvals at once.
LAPSED_MAX: Final = 100

# Routes tried for one request: more than a handful only spends the originator's deadline.
ROUTES_MAX: Final = 5

# Retry-After of a 503, in seconds: long enough to let a burst pass, short enough for a customer at the till.
RETRY_AFTER_S: Final = 2

# Day partitions of the trace that exist ahead of time.
LEG_PARTITION_DAYS: Final = 7

# One attempt to deliver an advice, and how much longer nobody else may take it: the write of its outcome.
SAF_ATTEMPT_MS: Final = 20_000
SAF_CLAIM_SPARE_MS: Final = 10_000

# An idle sender looks for work at most this seldom: what an acknowledged advice waits at worst.
SAF_IDLE_POLL_MAX_MS: Final = 250

# How long the sender tries at its stop to write what providers have answered.
SAF_LAST_WRITE_S: Final = 10.0

# How long a request waits for the advices that must reach the provider before it.
EXPRESS_WAIT_S: Final = 10.0

# The row of a worker that died is of no use once its lease has run out; so much later it is forgotten.
WORKER_FORGOTTEN_S: Final = 600

# Networks that one originator may send from: a company's sites. One that has more sends through a network of its own.
SOURCES_PER_ORIGINATOR_MAX: Final = 64

# Password checks at once in one process: each takes 64 MiB and tens of milliseconds of a core.
PASSWORD_CHECKS_MAX: Final = 2

# Passwords that wait to be checked: a second or two of work. More are answered 503; known credentials need no check.
PASSWORD_CHECKS_WAITING_MAX: Final = 64

# Failures that are free, of one originator at one source (a mistyped password), of one source (a shared address), of
# one originator from everywhere (the guesses of many). Each further one locks out, twice as long as the one before.
FAILURES_FREE_OF_PAIR: Final = 5
FAILURES_FREE_OF_SOURCE: Final = 20
FAILURES_FREE_OF_USER: Final = 50
LOCKED_OUT_FIRST_S: Final = 1.0
LOCKED_OUT_MAX_S: Final = 900.0
# Without a failure for so long, all are forgotten.
FAILURES_FORGOTTEN_S: Final = 3_600.0
# Keys whose failures are kept: some 5 MB. One source is locked out long before it can push out another's.
FAILURES_KEPT_MAX: Final = 16_384
# Guesses during one lock-out after which a password that this source has proved before is not believed either.
LOCKED_OUT_GUESSES_MAX: Final = 1_000

# Refused authentications that are logged, and of a name that anybody may have made up so much.
REFUSALS_LOGGED_PER_S: Final = 20
LOGGED_NAME_CHARS_MAX: Final = 64

# Verified credentials that a process remembers; more originators than this only cost a check now and then.
CREDENTIAL_CACHE_MAX: Final = 4096

# An access token: one of an outside issuer, with a signature of RSA and many claims, has 2,000 characters.
TOKEN_CHARS_MAX: Final = 8_192
TOKEN_HEADER_CHARS_MAX: Final = 1_024
# Verified tokens that a process remembers; one more only costs its verification again.
TOKEN_CACHE_MAX: Final = 16_384
# How far the clock of a token's issuer may be ahead of ours.
TOKEN_CLOCK_SKEW_S: Final = 30
# A token lives no longer than this, whatever is set; so long the key that signed it is kept, and a moment more.
TOKEN_LIFETIME_S_MAX: Final = 3_600
TOKEN_KEY_SPARE_S: Final = 60
# Our keys may be kept by whoever reads them for so long, and so long before it signs a key is published.
TOKEN_KEYS_MAX_AGE_S: Final = 300
# How often the worker looks whether the keys are due, and forgets tokens that are over.
TOKEN_CHECK_S: Final = 60.0
# The keys of an outside issuer: one fetch, its size, how many there may be, how old they become while it answers, and
# how often a key that nobody knows has it asked again.
JWKS_FETCH_S: Final = 5.0
JWKS_BYTES_MAX: Final = 256 * 1024
JWKS_KEYS_MAX: Final = 64
JWKS_AGE_S: Final = 300.0
JWKS_PAUSE_S: Final = 5.0
# A request to the token endpoint is under 2 KiB, the longest token included under 10.
TOKEN_REQUEST_BYTES_MAX: Final = 16_384
TOKEN_REQUEST_FIELDS_MAX: Final = 16
# Clients of one originator: one for each program that speaks for it, and their successors.
OAUTH_CLIENTS_MAX: Final = 100
# Revocations of one originator that are kept. Whoever revokes more has all of its tokens revoked: that is one number.
TOKEN_REVOCATIONS_MAX: Final = 10_000

# How often the worker looks whether the trace's partitions reach far enough ahead.
PARTITION_CHECK_S: Final = 3600.0

# Rows of one broken invariant that are read: enough to see what they share. More are told as "and more".
INVARIANT_ROWS_MAX: Final = 500

# One invariant over the rows that changed lately, in the minute check, and over the whole journal, in a full one.
INVARIANT_RECENT_S_MAX: Final = 30.0
INVARIANT_FULL_S_MAX: Final = 3600.0

# A row's time is taken before its commit, so the minute check looks so far back again: no statement lasts longer.
INVARIANT_OVERLAP_S: Final = 30

# What the minute check reads at a time: after a long pause it catches up in steps, for so long before it begins anew.
INVARIANT_STEP_S: Final = 600
INVARIANT_RUN_S_MAX: Final = 240

# A worker that dies in the middle of a check leaves the next one to others after this time.
INVARIANT_CLAIM_S: Final = 600

# A check this old means that no worker checks: three times the longest pause that `invariant_check_s` allows.
INVARIANT_STALE_S: Final = 900

# Unresolved requests are counted up to here: more is not another situation.
UNRESOLVED_COUNTED_MAX: Final = 10_000

# How long an originator may take to send a body of at most 64 KiB.
BODY_READ_S: Final = 10.0

# The head of a request: a token or a certificate in a header takes up to 8 KiB, a lookup's query less than 1 KiB.
HEAD_BYTES_MAX: Final = 32 * 1024
URL_BYTES_MAX: Final = 8 * 1024
HEADERS_MAX: Final = 100
# From its first byte on it has this long to come.
HEAD_READ_S: Final = 10.0
# How long the rest of a body may come whose request is answered already: a client that still sends reads no answer.
BODY_DISCARDED_S: Final = 5.0
# How long an originator may take to take an answer that is longer than the system keeps.
ANSWER_TAKEN_S: Final = 15.0

# A client certificate in a header, and the proxies in a row that Forwarded may name.
CLIENT_CERT_BYTES_MAX: Final = 16 * 1024
FORWARDED_HOPS_MAX: Final = 16
# Client certificates from headers that are remembered as verified.
CLIENT_CERTS_KEPT_MAX: Final = 1_024

# Connections accepted in one go, so that a flood of them leaves the requests of others their turn.
ACCEPT_AT_ONCE_MAX: Final = 64

# An edge has this long to say who is behind it, in so many bytes: its connection is on the same network.
PROXY_HEADER_S: Final = 5.0
PROXY_HEADER_BYTES_MAX: Final = 4_096

# The system has no descriptor or memory for a connection: the next try. Those that wait are kept by the system.
ACCEPT_PAUSE_S: Final = 0.5

# A client has this long for its part of a TLS handshake.
TLS_HANDSHAKE_S: Final = 10.0

# Handshakes under way in one process. One takes two round trips and a millisecond of a core; whoever begins more and
# ends none loses the oldest of them to the newest, so that a flood of silent connections keeps nobody out.
TLS_HANDSHAKES_MAX: Final = 512

# Client certificates bound to one originator: an old and a new one for each of some tills. Names bind any number.
CERTIFICATES_PER_ORIGINATOR_MAX: Final = 32

# How often certificates, keys and revocation lists are looked at for a change. Each look is a `stat` of four files.
TLS_FILES_POLL_S: Final = 2.0

# No file of certificates or revocation lists is larger: some 300,000 revoked certificates.
TLS_FILE_BYTES_MAX: Final = 16 * 1024 * 1024

# From so long before the end of our certificate it is logged, this often; that of a revocation list, which lasts for
# days or hours, only for the last such pause.
TLS_ENDS_SOON_DAYS: Final = 14
TLS_ENDS_SOON_LOG_S: Final = 6 * 3600.0

# A draining worker serves what still comes on idle connections for this long; then it says good-bye on them.
DRAIN_IDLE_S: Final = 3.0

# After the good-bye, how long a request that crossed it may still arrive without resetting the connection.
GOODBYE_LINGER_S: Final = 2.0

# What late answers get to be written when the drain time is used up.
LATE_ANSWERS_S: Final = 1.0

# Files and connections that a worker may have open, where the system allows: each request holds two, one to its
# provider. Systems start programs with 1,024, which is less than the requests that a worker takes.
OPEN_FILES_MAX: Final = 65_536

# Sources and originators whose rate is remembered: whoever is forgotten has been quiet for longer than all of these.
RATES_KEPT_MAX: Final = 16_384

# Refusals for overload are logged at most this often, with their number.
REFUSAL_LOG_S: Final = 1.0

# Silence counts against a provider from here on, or when its own time is used up. A shorter deadline is the choice of
# its originator, and one hasty originator must not have a provider passed over for all. Less than SAF_ATTEMPT_MS.
BREAKER_SILENCE_S: Final = 15.0

# A probe's claim outlives its call by this much: the write of what came of it.
BREAKER_CLAIM_SPARE_MS: Final = 5_000

# A cause is kept up to this length: an operator recognises it by its beginning.
BREAKER_REASON_CHARS_MAX: Final = 200

# The longest Retry-After of a provider that is passed over: it, or another route, may be there sooner.
RETRY_AFTER_S_MAX: Final = 60

# Maintenance windows of one provider that are not over: a year of weekly ones.
MAINTENANCE_WINDOWS_MAX: Final = 60
# The longest window, and how far ahead it may lie: more is a slip of the pen. A provider that is gone is disabled.
MAINTENANCE_DAYS_MAX: Final = 31
MAINTENANCE_AHEAD_DAYS_MAX: Final = 366
# Windows that are over are kept this long, so that a person can still see why nothing was sent.
MAINTENANCE_KEPT_DAYS: Final = 90
MAINTENANCE_REASON_CHARS_MAX: Final = 200
MAINTENANCE_LISTED_MAX: Final = 1_000

# The audit trail: a text of an event, and a state before or after a change; a larger one is kept as size and checksum.
AUDIT_TEXT_CHARS_MAX: Final = 1_000
AUDIT_VALUE_BYTES_MAX: Final = 64 * 1024
# A walk reads so many events at a time, and tells so many faults: what broke it shows in the first.
AUDIT_WALK_ROWS: Final = 2_000
AUDIT_FINDINGS_MAX: Final = 100
# One of the workers walks it this often (each looks this often whether it is time): all of it while it is so short,
AUDIT_WALK_S: Final = 3_600.0
AUDIT_CHECK_S: Final = 300.0
AUDIT_WALK_ALL_MAX: Final = 200_000

# People: how long a half-finished sign-in and a step-up are good for, and how many sessions a person has.
SIGN_IN_STAGE_S: Final = 600
STEP_UP_S: Final = 300
# Attempts at one name go one after the other: how long one waits for its turn.
SIGN_IN_WAIT_S: Final = 5
SESSIONS_PER_USER_MAX: Final = 3
# A session's last use is noted at most this often: a page with many parts is one use.
SESSION_NOTED_S: Final = 10
# Links to set a password, and single sign-ons under way at the identity provider, expire after this.
INVITATION_S: Final = 72 * 3_600
OIDC_FLOW_S: Final = 600
# Flows that are under way at once: each is a row that anybody can make who reaches the page.
OIDC_FLOWS_MAX: Final = 10_000
# What a browser says of itself is kept up to this length.
AGENT_CHARS_MAX: Final = 200
# Users who have not signed in for so long are disabled; ended sessions and old guards are forgotten after so long.
DORMANT_DAYS: Final = 90
PEOPLE_FORGOTTEN_DAYS: Final = 30
PEOPLE_CHORE_S: Final = 600.0
# Requests for approval that wait at once, and those that one listing shows.
APPROVALS_PENDING_MAX: Final = 1_000
APPROVAL_COMMENT_CHARS_MIN: Final = 10
APPROVAL_COMMENT_CHARS_MAX: Final = 1_000
# What a request says that it does, in a line; the whole of it stands beside.
APPROVAL_IMPACT_CHARS_MAX: Final = 500
# A grant to reveal PINs lasts at most so long.
PIN_GRANT_DAYS_MAX: Final = 30

# Single sign-on: one call to the identity provider, its answers, how long its metadata and keys are kept, and how far
# its clock may be from ours.
OIDC_WAIT_S: Final = 10.0
OIDC_ANSWER_BYTES_MAX: Final = 1024 * 1024
OIDC_KEPT_S: Final = 600.0
OIDC_CLOCK_SKEW_S: Final = 60
