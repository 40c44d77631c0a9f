-- Written as SQLite STRICT. Times are microseconds since 1970 in UTC, flags 0 or 1, ids the text of
-- a UUID.

-- +goose Up

-- The root keys that wrap other keys: neither the key, nor where it is, which only the
-- configuration says; its id, and a check value that it alone opens.
CREATE TABLE root_keys (
	id          TEXT PRIMARY KEY,
	params      TEXT NOT NULL, -- of a passphrase; empty for others
	check_value BLOB NOT NULL,
	created_at  INTEGER NOT NULL
) STRICT;

-- The keys that sign, as root keys wrap them: several root keys may wrap one.
CREATE TABLE instance_keys (
	id          TEXT NOT NULL,
	root_key_id TEXT NOT NULL REFERENCES root_keys (id),
	wrapped     BLOB NOT NULL,
	successions TEXT NOT NULL, -- base64: by which keys from before vouch for it, for those who ask
	created_at  INTEGER NOT NULL,
	PRIMARY KEY (id, root_key_id)
) STRICT;

-- This database itself, in one row: its signed ledger. Its id, of version 7, says when it was made.
CREATE TABLE instance (
	id     TEXT PRIMARY KEY,
	number INTEGER NOT NULL, -- as in the ledger
	ledger BLOB NOT NULL
) STRICT;
CREATE UNIQUE INDEX instance_one_row ON instance ((1));

-- A user with the signed ledger of the user's library, which lists every row that counts. Of a
-- deleted user only the id and the ledger stay.
CREATE TABLE users (
	id            TEXT PRIMARY KEY,
	number        INTEGER NOT NULL, -- as in the ledger
	ledger        BLOB NOT NULL,
	username      TEXT NOT NULL,
	email_address TEXT NOT NULL,
	full_name     TEXT NOT NULL,
	created_at    INTEGER NOT NULL,
	delete_at     INTEGER, -- when the user is to be deleted; the ledger vouches for it
	repaired_at   INTEGER, -- of a repair that the user has not confirmed; the ledger vouches for it
	probe_every   INTEGER NOT NULL, -- microseconds, 0 for never; the ledger vouches for it
	unused_after  INTEGER NOT NULL, -- the same
	probe_due_at  INTEGER, -- a help: the next probe of any of the secrets
	notice_due_at INTEGER, -- a help: when there may be something to tell of any of them
	deleted_at    INTEGER
) STRICT;
CREATE UNIQUE INDEX users_by_username ON users (username) WHERE deleted_at IS NULL;
CREATE INDEX users_by_probe ON users (probe_due_at) WHERE probe_due_at IS NOT NULL;
CREATE INDEX users_by_notice ON users (notice_due_at) WHERE notice_due_at IS NOT NULL;
CREATE INDEX users_by_deletion ON users (delete_at) WHERE delete_at IS NOT NULL;

CREATE TABLE owner_keys (
	id          TEXT PRIMARY KEY,
	user_id     TEXT NOT NULL REFERENCES users (id),
	root_key_id TEXT NOT NULL REFERENCES root_keys (id),
	wrapped     BLOB NOT NULL,
	created_at  INTEGER NOT NULL
) STRICT;
CREATE INDEX owner_keys_by_user ON owner_keys (user_id);
CREATE INDEX owner_keys_by_root_key ON owner_keys (root_key_id, id);

-- A key works while the ledgers list it and every key above it, and none of them has expired or is
-- suspended. So do rules of trust, which have no token, and the credentials that they give.
CREATE TABLE api_keys (
	id           TEXT PRIMARY KEY,
	user_id      TEXT NOT NULL REFERENCES users (id),
	parent_id    TEXT NOT NULL, -- the key that made it, of any user; empty: the operator
	token_hash   BLOB NOT NULL UNIQUE,
	masked       TEXT NOT NULL,
	name         TEXT NOT NULL,
	scopes       TEXT NOT NULL, -- separated by spaces
	self_revoke  INTEGER NOT NULL CHECK (self_revoke IN (0, 1)),
	suspended    INTEGER NOT NULL CHECK (suspended IN (0, 1)),
	created_at   INTEGER NOT NULL,
	expires_at   INTEGER,
	revoked_at   INTEGER, -- for people: a key works while the ledger lists it
	-- Empty for an API key. Sessions of the pages, the links that open them, rules of trust, the
	-- credentials that these give, confirmed logins of programs, who signs in at a provider, passkeys,
	-- and grants to other users are kept as keys are.
	kind         TEXT NOT NULL
		CHECK (kind IN (
			'', 'session', 'sign-in-link', 'trust', 'workload', 'device', 'identity', 'passkey',
			'grant'
		)),
	terms        TEXT NOT NULL, -- of a rule, a credential, an identity, a passkey or a grant, as JSON
	presented    BLOB NOT NULL  -- tells a token, an identity, a passkey, or a sign-in; empty for none
) STRICT;
CREATE UNIQUE INDEX api_keys_by_presented ON api_keys (presented) WHERE length(presented) > 0;
CREATE INDEX api_keys_by_user ON api_keys (user_id, id);
CREATE INDEX api_keys_by_parent ON api_keys (parent_id);
-- By age: ids of version 7 begin with the time.
CREATE INDEX api_keys_by_age ON api_keys (id) WHERE kind = '' AND revoked_at IS NULL;

-- When API keys were used last: a help for people, which nothing vouches for.
CREATE TABLE api_key_uses (
	key_id TEXT PRIMARY KEY,
	at     INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- A secret with its current version, which is the current one since updated_at.
CREATE TABLE secrets (
	id           TEXT PRIMARY KEY,
	user_id      TEXT NOT NULL REFERENCES users (id),
	name         TEXT NOT NULL,
	provider     TEXT NOT NULL, -- empty for a custom secret without one
	version      INTEGER NOT NULL,
	stamp        BLOB NOT NULL, -- 16 random bytes for each value that was sealed
	sealed_mask  BLOB NOT NULL,
	sealed_value BLOB NOT NULL,
	created_at   INTEGER NOT NULL,
	updated_at   INTEGER NOT NULL,
	expires_at   INTEGER, -- as its owner says
	remind_before INTEGER NOT NULL -- microseconds
) STRICT;
CREATE UNIQUE INDEX secrets_by_name ON secrets (user_id, name);

-- The versions of a secret before the current one, the last few. The current one is in the secret's
-- own row: a create writes to no second tree.
CREATE TABLE secret_versions (
	secret_id    TEXT NOT NULL REFERENCES secrets (id),
	version      INTEGER NOT NULL,
	user_id      TEXT NOT NULL REFERENCES users (id),
	name         TEXT NOT NULL, -- of the secret, when the version stopped being the current one
	stamp        BLOB NOT NULL,
	sealed_mask  BLOB NOT NULL,
	sealed_value BLOB NOT NULL,
	created_at   INTEGER NOT NULL, -- when it became the current one
	PRIMARY KEY (secret_id, version)
) STRICT;
CREATE INDEX secret_versions_by_user ON secret_versions (user_id);

-- A grant to use secrets in one run. A ticket that can be redeemed, or a lease for the broker,
-- counts while the ledger lists the row. All else is a help for people: the record is the audit
-- log.
CREATE TABLE leases (
	id           TEXT NOT NULL,
	user_id      TEXT NOT NULL REFERENCES users (id),
	api_key_id   TEXT NOT NULL, -- that asked for it
	api_key_name TEXT NOT NULL,
	-- By whom, if another user asked for it, and by which grant; otherwise empty.
	grant_id        TEXT NOT NULL,
	acting_user_id  TEXT NOT NULL,
	acting_username TEXT NOT NULL,
	delivery     TEXT NOT NULL,
	ticket_hash  BLOB NOT NULL, -- empty where there is no ticket
	run_id       TEXT NOT NULL,
	run_label    TEXT NOT NULL,
	limits       TEXT NOT NULL, -- of a broker's, as JSON; empty for none
	-- A line for each: id, version that was handed out or 0, hash of the placeholder or -, name.
	secrets      TEXT NOT NULL,
	created_at   INTEGER NOT NULL,
	expires_at   INTEGER NOT NULL,
	redeemed_at  INTEGER,
	revoked_at   INTEGER,
	disputed_at  INTEGER,
	PRIMARY KEY (user_id, id)
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX leases_by_ticket ON leases (ticket_hash) WHERE length(ticket_hash) > 0;
CREATE INDEX leases_open ON leases (user_id, id) WHERE delivery <> 'bundle'
	AND redeemed_at IS NULL AND revoked_at IS NULL;
CREATE UNIQUE INDEX leases_of_broker ON leases (id) WHERE delivery = 'broker';
CREATE INDEX leases_by_run ON leases (user_id, run_id, id) WHERE run_id <> '';

-- How secrets were used, and what requests at the broker showed of them: a help for people, which
-- nothing vouches for.
CREATE TABLE secret_uses (
	user_id    TEXT NOT NULL,
	secret_id  TEXT NOT NULL,
	uses       INTEGER NOT NULL,
	at         INTEGER NOT NULL,
	lease_id   TEXT NOT NULL, -- the last one
	stamp      BLOB NOT NULL, -- of the version of which the rest is; zeros for none
	worked_at  INTEGER, -- when the provider did last what was asked
	refused_at INTEGER, -- when it refused the key last
	PRIMARY KEY (user_id, secret_id)
) STRICT, WITHOUT ROWID;

-- How much each user used on a day, for some months: a help for people, which nothing vouches for.
CREATE TABLE usage_days (
	day     INTEGER NOT NULL, -- its beginning
	user_id TEXT NOT NULL,
	leases  INTEGER NOT NULL, -- that were made
	runs    INTEGER NOT NULL, -- those of them that named their run
	secrets INTEGER NOT NULL, -- in these leases
	PRIMARY KEY (day, user_id)
) STRICT, WITHOUT ROWID;
CREATE INDEX usage_days_by_user ON usage_days (user_id);

-- What providers said of secrets when they were asked. It decides nothing; a row has a code under
-- the instance key, so that nothing but a server can say it.
CREATE TABLE secret_health (
	user_id         TEXT NOT NULL,
	secret_id       TEXT NOT NULL,
	version         INTEGER NOT NULL,
	stamp           BLOB NOT NULL, -- of that version
	outcome         TEXT NOT NULL,
	check_id        TEXT NOT NULL,
	status          INTEGER NOT NULL,
	note            TEXT NOT NULL,
	facts           TEXT NOT NULL, -- JSON: what the provider tells of the key
	key_expires_at  INTEGER,
	at              INTEGER NOT NULL,
	instance_key_id TEXT NOT NULL, -- that made the code
	code            BLOB NOT NULL,
	PRIMARY KEY (user_id, secret_id)
) STRICT, WITHOUT ROWID;

-- What the operator's webhook is to be told, until it has been. A row has a code under the instance
-- key, so that the webhook is told nothing but what a server wrote. How often it was tried, and when
-- it is next, is a help that nothing vouches for.
CREATE TABLE webhook_events (
	id              TEXT PRIMARY KEY, -- follows from what it tells
	user_id         TEXT NOT NULL,
	secret_id       TEXT NOT NULL,
	body            TEXT NOT NULL, -- JSON, as it is sent
	created_at      INTEGER NOT NULL,
	attempts        INTEGER NOT NULL,
	due_at          INTEGER NOT NULL,
	instance_key_id TEXT NOT NULL, -- that made the code
	code            BLOB NOT NULL
) STRICT;
CREATE INDEX webhook_events_by_due ON webhook_events (due_at);
CREATE INDEX webhook_events_by_age ON webhook_events (created_at, id);
CREATE INDEX webhook_events_by_secret ON webhook_events (user_id, secret_id);

-- Which warnings of secrets the webhook has been told: a help, so that it is told each once.
CREATE TABLE secret_notices (
	user_id   TEXT NOT NULL,
	secret_id TEXT NOT NULL,
	warning   TEXT NOT NULL,
	about     INTEGER NOT NULL, -- the time that the last such warning was about
	PRIMARY KEY (user_id, secret_id, warning)
) STRICT, WITHOUT ROWID;

-- How much leases were used at the broker, and what the newest requests there were: a help for
-- people and against overuse, which nothing vouches for.
CREATE TABLE broker_uses (
	user_id  TEXT NOT NULL,
	lease_id TEXT NOT NULL,
	requests INTEGER NOT NULL,
	bytes    INTEGER NOT NULL,
	tokens   INTEGER NOT NULL,
	PRIMARY KEY (user_id, lease_id)
) STRICT, WITHOUT ROWID;
CREATE TABLE broker_requests (
	user_id   TEXT NOT NULL,
	id        TEXT NOT NULL,
	lease_id  TEXT NOT NULL,
	secret_id TEXT NOT NULL, -- empty where it is not known
	at        INTEGER NOT NULL,
	method    TEXT NOT NULL,
	host      TEXT NOT NULL,
	path      TEXT NOT NULL, -- a template
	status    INTEGER NOT NULL,
	sent      INTEGER NOT NULL,
	received  INTEGER NOT NULL,
	took      INTEGER NOT NULL, -- microseconds
	tokens    INTEGER NOT NULL,
	refused   TEXT NOT NULL, -- the rule; empty for none
	detail    TEXT NOT NULL,
	PRIMARY KEY (user_id, id)
) STRICT, WITHOUT ROWID;
CREATE INDEX broker_requests_of_lease ON broker_requests (user_id, lease_id, id);

-- The audit log: one chain of hashes a user, and one of the instance. It outlives the user. Rows
-- are stored in the order in which they come: in the order of the key, each would be put between
-- others, on a page that is full, and several pages be written for it.
CREATE TABLE audit_entries (
	owner_id        TEXT NOT NULL,
	seq             INTEGER NOT NULL,
	at              INTEGER NOT NULL,
	user_id         TEXT NOT NULL,
	credential_kind TEXT NOT NULL,
	credential_id   TEXT NOT NULL,
	on_behalf_of    TEXT NOT NULL,
	client          TEXT NOT NULL, -- an address; empty for none
	action          TEXT NOT NULL,
	outcome         TEXT NOT NULL,
	target_kind     TEXT NOT NULL,
	target_id       TEXT NOT NULL,
	target_name     TEXT NOT NULL,
	target_version  INTEGER NOT NULL,
	lease_id        TEXT NOT NULL,
	run             TEXT NOT NULL,
	hash            BLOB NOT NULL,
	PRIMARY KEY (owner_id, seq)
) STRICT, WITHOUT ROWID;

-- Requests that were done in the last days, so that each changes something once. A row has a code
-- under the instance key, and nothing of the answer. Of the request it has a code only.
CREATE TABLE done_requests (
	user_id         TEXT NOT NULL REFERENCES users (id), -- who asked
	key_hash        BLOB NOT NULL, -- of the name that the client gave it, or of its sealing
	request_code    BLOB NOT NULL,
	action          TEXT NOT NULL,
	resource_id     TEXT NOT NULL, -- what it made or changed
	version         INTEGER NOT NULL,
	expires_at      INTEGER NOT NULL,
	instance_key_id TEXT NOT NULL, -- that made both codes
	code            BLOB NOT NULL,
	PRIMARY KEY (user_id, key_hash)
) STRICT, WITHOUT ROWID;
CREATE INDEX done_requests_by_expiry ON done_requests (expires_at);

-- Logins of programs that wait for a user to confirm them, for some minutes. They are of no user
-- yet, and a row has a code under the instance key.
CREATE TABLE device_logins (
	hash            BLOB PRIMARY KEY, -- of the token that the program presents
	id              TEXT NOT NULL,
	typed_code      BLOB NOT NULL, -- a code over what people type: its hash would tell a short text
	name            TEXT NOT NULL, -- what the program calls itself
	client          TEXT NOT NULL, -- its address
	scopes          TEXT NOT NULL, -- separated by spaces; empty for the usual ones
	expires_at      INTEGER NOT NULL,
	instance_key_id TEXT NOT NULL, -- that made both codes
	code            BLOB NOT NULL
) STRICT, WITHOUT ROWID;
CREATE UNIQUE INDEX device_logins_by_typed_code ON device_logins (typed_code);
CREATE INDEX device_logins_by_expiry ON device_logins (expires_at);
