-- Kept passes: what each was made from, what it planned and what it did, so that it can be explained and replayed.

CREATE TABLE reconciler.passes (                 -- only those that changed, failed or waited for something
  id           bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
  tenant       text NOT NULL CONSTRAINT passes_tenant_fkey REFERENCES reconciler.tenants,
  epoch        bigint NOT NULL,
  first_at     timestamptz NOT NULL,             -- end of the first of `count` passes that said the same
  at           timestamptz NOT NULL,             -- end of the newest of them, which is the one that is kept
  count        integer NOT NULL DEFAULT 1,
  wake_class   text NOT NULL,
  took_s       double precision NOT NULL,        -- real
  result       text NOT NULL CONSTRAINT pass_result_is_known CHECK (result IN ('changed', 'failed', 'waited', 'broke')),
  generation   bigint NOT NULL,
  blueprint    text NOT NULL,
  revision     integer NOT NULL,
  summary      text NOT NULL,
  fingerprint  text NOT NULL,                    -- equal: the same said again; empty: never the same
  version      text NOT NULL,                    -- of the program
  document     bytea NOT NULL                    -- compressed JSON
);
ALTER TABLE reconciler.passes ALTER COLUMN document SET STORAGE EXTERNAL;
CREATE INDEX passes_tenant ON reconciler.passes (tenant, id);
CREATE INDEX passes_at ON reconciler.passes (at);
