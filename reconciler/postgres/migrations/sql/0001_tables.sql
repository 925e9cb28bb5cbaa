-- The tables. World time (design: Render's clock) is in every column but those marked "real", which hold the database's
-- own now(). Nothing here defaults to now(): triggers and statements say which clock they mean.

CREATE TABLE reconciler.world_clock (            -- one row, kept fresh by the daemon; triggers read it through world_now()
  one       boolean PRIMARY KEY DEFAULT true CONSTRAINT world_clock_is_one_row CHECK (one),
  world_at  timestamptz NOT NULL,                -- the world time at real_at
  real_at   timestamptz NOT NULL,                -- real
  speed     double precision NOT NULL CONSTRAINT speed_is_not_negative CHECK (speed >= 0)
);

-- ------------------------------------------------------------ Blueprints

CREATE TABLE reconciler.blueprints (             -- the newest revision's face: what the triggers on tenants need of it
  name        text PRIMARY KEY,
  revision    integer NOT NULL DEFAULT 1,
  params      jsonb NOT NULL DEFAULT '{}',       -- name -> {type, required, default, enum}
  keep_for_s  bigint NOT NULL DEFAULT 604800
);

CREATE TABLE reconciler.tiers (                  -- rows stay when a tier goes: tombstones still name it
  blueprint  text NOT NULL CONSTRAINT tiers_blueprint_fkey REFERENCES reconciler.blueprints,
  tier       text NOT NULL,
  retired    boolean NOT NULL DEFAULT false,
  PRIMARY KEY (blueprint, tier)
);

CREATE TABLE reconciler.blueprint_revisions (    -- immutable but for `halted`
  blueprint   text NOT NULL CONSTRAINT blueprint_revisions_blueprint_fkey REFERENCES reconciler.blueprints,
  revision    integer NOT NULL,
  document    jsonb NOT NULL,
  halted      boolean NOT NULL DEFAULT false,    -- its rollout was stopped: new tenants do not get it
  created_at  timestamptz NOT NULL,
  created_by  text NOT NULL,
  PRIMARY KEY (blueprint, revision)
);

CREATE TABLE reconciler.rollouts (               -- the newest rollout of each Blueprint
  blueprint   text PRIMARY KEY CONSTRAINT rollouts_blueprint_fkey REFERENCES reconciler.blueprints,
  revision    integer NOT NULL,
  state       text NOT NULL CONSTRAINT rollout_state_is_known CHECK (state IN ('active', 'stopped', 'finished')),
  why         text NOT NULL DEFAULT '',
  started_at  timestamptz NOT NULL,
  started_by  text NOT NULL
);

-- ------------------------------------------------------------ tenants: the SQL contract

CREATE TABLE reconciler.tenants (
  name             text CONSTRAINT name_is_taken PRIMARY KEY
                     CONSTRAINT name_is_a_dns_label CHECK (name ~ '^[a-z][a-z0-9-]{0,37}[a-z0-9]$'),
  number           bigint GENERATED ALWAYS AS IDENTITY CONSTRAINT number_is_taken UNIQUE,
  external_id      text CONSTRAINT external_id_is_taken UNIQUE
                     CONSTRAINT external_id_is_short CHECK (length(external_id) BETWEEN 1 AND 255),
  display_name     text CONSTRAINT display_name_is_short CHECK (length(display_name) <= 200),
  blueprint        text NOT NULL CONSTRAINT blueprint_in_use REFERENCES reconciler.blueprints,
  tier             text,                         -- null exactly where the Blueprint has no tiers
  state            text NOT NULL DEFAULT 'running'
                     CONSTRAINT state_is_known CHECK (state IN ('running', 'suspended', 'deleted')),
  params           jsonb NOT NULL DEFAULT '{}',
  labels           jsonb NOT NULL DEFAULT '{}',
  region           text,                         -- null: the template's own
  priority         smallint NOT NULL DEFAULT 50 CONSTRAINT priority_is_0_to_100 CHECK (priority BETWEEN 0 AND 100),
  details          jsonb NOT NULL DEFAULT '{}',  -- env, domains, plugins, overrides, pin, environment, allowDataLoss
  generation       bigint NOT NULL DEFAULT 1,    -- counted by the trigger
  generation_at    timestamptz NOT NULL,
  deleted_at       timestamptz,                  -- set while state is 'deleted', as the next one
  purge_at         timestamptz,
  purge_mode       text NOT NULL DEFAULT 'wait'
                     CONSTRAINT purge_mode_is_known CHECK (purge_mode IN ('wait', 'now', 'orphan')),
  purged_at        timestamptz,                  -- from then on the row is a tombstone
  revision         integer NOT NULL DEFAULT 0,   -- of the Blueprint, assigned by its rollout; 0: none yet
  reconcile_token  text NOT NULL DEFAULT '',     -- of the newest `reconcile` request
  created_by       text NOT NULL DEFAULT session_user,
  created_at       timestamptz NOT NULL,
  updated_at       timestamptz NOT NULL,
  CONSTRAINT tier_in_use FOREIGN KEY (blueprint, tier) REFERENCES reconciler.tiers,
  CONSTRAINT params_are_an_object CHECK (jsonb_typeof(params) = 'object' AND octet_length(params::text) <= 65536),
  CONSTRAINT labels_are_an_object CHECK (jsonb_typeof(labels) = 'object' AND octet_length(labels::text) <= 16384),
  CONSTRAINT details_are_an_object CHECK (jsonb_typeof(details) = 'object' AND octet_length(details::text) <= 1048576)
);
CREATE INDEX tenants_blueprint ON reconciler.tenants (blueprint, revision);
CREATE INDEX tenants_display_name ON reconciler.tenants (lower(display_name));
CREATE INDEX tenants_labels ON reconciler.tenants USING gin (labels);

CREATE TABLE reconciler.status (                 -- what the operator says; the narrow columns repeat the document's
  name                 text PRIMARY KEY CONSTRAINT status_name_fkey REFERENCES reconciler.tenants,
  phase                text NOT NULL,
  ready                boolean NOT NULL,
  url                  text,
  eta                  timestamptz,
  message              text NOT NULL,
  monthly_usd          numeric,
  observed_generation  bigint NOT NULL,
  revision             integer NOT NULL,
  document             jsonb NOT NULL,
  updated_at           timestamptz NOT NULL
);

-- ------------------------------------------------------------ queue

CREATE TABLE reconciler.tenant_queue (           -- narrow and hot: entry, dirty bit and lease in one row
  tenant       text PRIMARY KEY CONSTRAINT tenant_queue_tenant_fkey REFERENCES reconciler.tenants,
  wake_seq     bigint NOT NULL DEFAULT 1,
  handled_seq  bigint NOT NULL DEFAULT 0,
  wake_class   text NOT NULL DEFAULT 'user'
                 CONSTRAINT wake_class_is_known CHECK (wake_class IN ('user', 'retry', 'settle', 'drift')),
  due_at       timestamptz NOT NULL DEFAULT 'epoch',  -- 'epoch' means at once, whatever the world's clock says
  queued_at    timestamptz NOT NULL,             -- real: when it became dirty
  lease_owner  text,
  lease_until  timestamptz,                      -- real
  lease_epoch  bigint NOT NULL DEFAULT 0,
  failures     integer NOT NULL DEFAULT 0
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 100,
        autovacuum_vacuum_cost_delay = 0);
CREATE INDEX tenant_queue_due ON reconciler.tenant_queue (wake_class, due_at, queued_at);
CREATE INDEX tenant_queue_lease ON reconciler.tenant_queue (lease_owner) WHERE lease_until IS NOT NULL;

CREATE TABLE reconciler.singletons (             -- leases of duties that one process at a time has
  name   text PRIMARY KEY,
  owner  text NOT NULL,
  until  timestamptz NOT NULL                    -- real
);

CREATE TABLE reconciler.create_demand (          -- who waits for creates; absent: nobody
  tenant    text PRIMARY KEY CONSTRAINT create_demand_tenant_fkey REFERENCES reconciler.tenants,
  wanted    integer NOT NULL,
  ready     integer NOT NULL,
  started   boolean NOT NULL,
  priority  smallint NOT NULL,
  since     timestamptz NOT NULL
);

-- ------------------------------------------------------------ Render, as owned and as seen

CREATE TABLE reconciler.inventory (              -- what we own; a row leaves only on proof of absence, or orphaned
  workspace     text NOT NULL,
  id            text NOT NULL,
  tenant        text NOT NULL CONSTRAINT inventory_tenant_fkey REFERENCES reconciler.tenants,
  component     text NOT NULL,
  kind          text NOT NULL,
  name          text NOT NULL,
  known         jsonb NOT NULL DEFAULT '{}',
  absent_looks  integer NOT NULL DEFAULT 0,
  created_at    timestamptz,
  since         timestamptz,
  PRIMARY KEY (workspace, id),
  CONSTRAINT component_has_one_object UNIQUE (tenant, component)
);

CREATE TABLE reconciler.snapshot (               -- the shared picture; written only where it changed
  workspace      text NOT NULL,
  id             text NOT NULL,
  kind           text NOT NULL,
  name           text NOT NULL,
  observed       jsonb NOT NULL,                 -- without the time it was seen
  seen_at        timestamptz NOT NULL,           -- of the newest change; sweeps.started_at is the age of the rest
  absent_sweeps  integer NOT NULL DEFAULT 0,
  gone           boolean NOT NULL DEFAULT false,
  PRIMARY KEY (workspace, id)
);
CREATE INDEX snapshot_name ON reconciler.snapshot (workspace, kind, name);

CREATE TABLE reconciler.sweeps (
  workspace   text NOT NULL,
  kind        text NOT NULL,
  started_at  timestamptz NOT NULL,
  PRIMARY KEY (workspace, kind)
);

CREATE TABLE reconciler.operations (             -- the journal: a row before the bytes go out
  id              bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  workspace       text NOT NULL,
  tenant          text NOT NULL CONSTRAINT operations_tenant_fkey REFERENCES reconciler.tenants,
  component       text NOT NULL,
  verb            text NOT NULL,
  kind            text NOT NULL,
  name            text NOT NULL,
  live_id         text NOT NULL DEFAULT '',
  environment_id  text NOT NULL DEFAULT '',
  request_hash    text NOT NULL,
  summary         text NOT NULL DEFAULT '',
  state           text NOT NULL CONSTRAINT operation_state_is_known
                    CHECK (state IN ('planned', 'sent', 'unknown', 'succeeded', 'refused', 'never_happened')),
  bucket          text,
  window_start    timestamptz,                   -- of the budget it was counted in
  epoch           bigint NOT NULL,
  generation      bigint NOT NULL,
  planned_at      timestamptz NOT NULL,
  sent_at         timestamptz,
  sent_real_at    timestamptz,                   -- real
  settled_at      timestamptz,
  status          integer NOT NULL DEFAULT 0,    -- HTTP
  message         text NOT NULL DEFAULT '',
  looks           integer NOT NULL DEFAULT 0,
  looked_at       timestamptz
);
CREATE UNIQUE INDEX one_open_operation ON reconciler.operations (tenant, component)
  WHERE state IN ('planned', 'sent', 'unknown');
CREATE INDEX operations_tenant ON reconciler.operations (tenant, id);
CREATE INDEX operations_window ON reconciler.operations (workspace, bucket, window_start);
CREATE INDEX operations_sent ON reconciler.operations (sent_at);

CREATE TABLE reconciler.refusals (               -- effects not asked again for the same generation and request
  tenant        text NOT NULL CONSTRAINT refusals_tenant_fkey REFERENCES reconciler.tenants,
  component     text NOT NULL,
  request_hash  text NOT NULL,
  generation    bigint NOT NULL,
  status        integer NOT NULL,
  message       text NOT NULL,
  at            timestamptz NOT NULL,
  PRIMARY KEY (tenant, component, request_hash, generation)
);

CREATE TABLE reconciler.budget (                 -- one row a bucket and (for per-service buckets) live id
  workspace       text NOT NULL,
  bucket          text NOT NULL,
  live_id         text NOT NULL DEFAULT '',
  window_start    timestamptz NOT NULL DEFAULT 'epoch',
  window_end      timestamptz NOT NULL DEFAULT 'epoch',
  used            integer NOT NULL DEFAULT 0,    -- granted in this window; of creates, what others used beside us
  limit_seen      integer,                       -- by the headers; null: the documented one
  penalty_until   timestamptz,
  paused_until    timestamptz,
  paused_message  text NOT NULL DEFAULT '',
  PRIMARY KEY (workspace, bucket, live_id)
) WITH (fillfactor = 70, autovacuum_vacuum_scale_factor = 0.01, autovacuum_vacuum_threshold = 100,
        autovacuum_vacuum_cost_delay = 0);

-- ------------------------------------------------------------ what happened, what it cost

CREATE SEQUENCE reconciler.event_ids;
CREATE TABLE reconciler.events (                 -- one row a reason and component; a change gets a new id
  id         bigint PRIMARY KEY,
  tenant     text NOT NULL CONSTRAINT events_tenant_fkey REFERENCES reconciler.tenants,
  reason     text NOT NULL,
  component  text NOT NULL DEFAULT '',
  message    text NOT NULL,
  warning    boolean NOT NULL,
  count      bigint NOT NULL DEFAULT 1,
  first_at   timestamptz NOT NULL,
  last_at    timestamptz NOT NULL,
  CONSTRAINT events_reason UNIQUE (tenant, reason, component)
);
ALTER SEQUENCE reconciler.event_ids OWNED BY reconciler.events.id;

CREATE TABLE reconciler.ledger (                 -- append-only; an open interval's end is set once
  id                 bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  workspace          text NOT NULL,
  tenant             text NOT NULL CONSTRAINT ledger_tenant_fkey REFERENCES reconciler.tenants,
  component          text NOT NULL,
  resource_id        text NOT NULL,
  kind               text NOT NULL DEFAULT '',
  blueprint          text NOT NULL,
  tier               text,
  started_at         timestamptz NOT NULL,
  ended_at           timestamptz,
  uncertainty_s      double precision NOT NULL DEFAULT 0,
  end_uncertainty_s  double precision NOT NULL DEFAULT 0,
  facts              jsonb NOT NULL,
  usd_per_month      numeric,                    -- null: the price book does not know
  book               text NOT NULL,
  CONSTRAINT interval_ends_after_its_start CHECK (ended_at >= started_at)
);
CREATE UNIQUE INDEX one_open_interval ON reconciler.ledger (workspace, resource_id) WHERE ended_at IS NULL;
CREATE INDEX ledger_tenant ON reconciler.ledger (tenant, started_at);

CREATE TABLE reconciler.audit (
  id       bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  at       timestamptz NOT NULL,
  actor    text NOT NULL,
  via      text NOT NULL,
  action   text NOT NULL,
  subject  text NOT NULL,
  detail   text NOT NULL DEFAULT ''
);
CREATE INDEX audit_subject ON reconciler.audit (subject, id);

CREATE TABLE reconciler.rejections (             -- documents that apply refused, until a good one comes
  kind     text NOT NULL,
  name     text NOT NULL,
  message  text NOT NULL,
  at       timestamptz NOT NULL,
  PRIMARY KEY (kind, name)
);

-- ------------------------------------------------------------ stops, secrets, keys

CREATE TABLE reconciler.holds (                  -- hands off one tenant
  tenant   text PRIMARY KEY CONSTRAINT holds_tenant_fkey REFERENCES reconciler.tenants,
  held_by  text NOT NULL,
  why      text NOT NULL,
  until    timestamptz NOT NULL,
  at       timestamptz NOT NULL
);

CREATE TABLE reconciler.brake (                  -- hands off all: the row 'all', and one a class of calls if wanted
  scope   text PRIMARY KEY,
  mode    text NOT NULL CONSTRAINT brake_mode_is_known CHECK (mode IN ('normal', 'observe', 'stop')),
  why     text NOT NULL DEFAULT '',
  set_by  text NOT NULL DEFAULT '',
  at      timestamptz
);
INSERT INTO reconciler.brake (scope, mode) VALUES ('all', 'normal');

CREATE TABLE reconciler.secrets (                -- ciphertext is bound to scope, owner and key
  scope       text NOT NULL CONSTRAINT secret_scope_is_known
                CHECK (scope IN ('tenant', 'blueprint', 'connection', 'system')),
  owner       text NOT NULL,
  key         text NOT NULL,
  ciphertext  bytea NOT NULL,
  key_id      text NOT NULL,
  updated_at  timestamptz NOT NULL,
  PRIMARY KEY (scope, owner, key)
);

CREATE TABLE reconciler.api_keys (
  id          text PRIMARY KEY,
  name        text NOT NULL,
  hash        text NOT NULL,
  scopes      text[] NOT NULL,
  created_at  timestamptz NOT NULL,
  revoked_at  timestamptz
);
CREATE UNIQUE INDEX key_name_is_taken ON reconciler.api_keys (name) WHERE revoked_at IS NULL;

CREATE TABLE reconciler.idempotency (            -- answers of repeated HTTP requests, for a day
  key          text PRIMARY KEY,
  fingerprint  text NOT NULL,
  status       integer,                          -- null: in flight
  body         jsonb,
  at           timestamptz NOT NULL              -- real
);
