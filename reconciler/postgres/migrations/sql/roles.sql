-- The roles `signup` and `operator` and what they may do. Repeatable: run after a migration, and whenever the roles
-- came into being later. Roles belong to the whole server, so another database may have made them already.

DO $$
DECLARE wanted text;
BEGIN
  FOREACH wanted IN ARRAY ARRAY['signup', 'operator'] LOOP
    CONTINUE WHEN EXISTS (SELECT FROM pg_roles WHERE rolname = wanted);
    BEGIN
      EXECUTE format('CREATE ROLE %I NOLOGIN', wanted);
    EXCEPTION
      WHEN duplicate_object OR unique_violation THEN NULL;  -- made by a migration of another database just now
      WHEN insufficient_privilege THEN
        RAISE WARNING 'role % is missing and % may not create roles', wanted, current_user
          USING HINT = format('as an administrator: CREATE ROLE %I NOLOGIN; then run the migration again', wanted);
    END;
  END LOOP;
END $$;

DO $$
BEGIN
  IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'signup') THEN
    GRANT USAGE ON SCHEMA reconciler TO signup;
    GRANT SELECT ON reconciler.tenants, reconciler.tenant_status TO signup;
    GRANT SELECT (name, phase, ready, url, eta, message, monthly_usd, observed_generation) ON reconciler.status TO signup;
    GRANT INSERT (name, external_id, display_name, blueprint, tier, params, labels),
          UPDATE (display_name, tier, state, params, labels) ON reconciler.tenants TO signup;
    GRANT EXECUTE ON FUNCTION reconciler.sign_up(text, text, text, text, text, jsonb, jsonb), reconciler.world_now()
      TO signup;
    DROP POLICY IF EXISTS own ON reconciler.tenants;
    CREATE POLICY own ON reconciler.tenants TO signup USING (created_by = session_user);
    DROP POLICY IF EXISTS own ON reconciler.status;
    CREATE POLICY own ON reconciler.status FOR SELECT TO signup USING (name IN (SELECT t.name FROM reconciler.tenants t));
  END IF;
  IF EXISTS (SELECT FROM pg_roles WHERE rolname = 'operator') THEN
    GRANT USAGE ON SCHEMA reconciler TO operator;
    GRANT SELECT ON
      reconciler.tenants, reconciler.tenant_status, reconciler.status, reconciler.tenant_queue, reconciler.inventory,
      reconciler.snapshot, reconciler.sweeps, reconciler.operations, reconciler.refusals, reconciler.budget,
      reconciler.create_demand, reconciler.events, reconciler.ledger, reconciler.audit, reconciler.rejections,
      reconciler.blueprints, reconciler.tiers, reconciler.blueprint_revisions, reconciler.rollouts, reconciler.holds,
      reconciler.brake, reconciler.singletons, reconciler.world_clock, reconciler.passes TO operator;
    -- Never the ciphertext of a secret nor the hash of a key.
    GRANT SELECT (scope, owner, key, key_id, updated_at) ON reconciler.secrets TO operator;
    GRANT SELECT (id, name, scopes, created_at, revoked_at) ON reconciler.api_keys TO operator;
    -- DELETE and TRUNCATE are granted so that the refusal can say what to do instead.
    GRANT INSERT, UPDATE, DELETE, TRUNCATE ON reconciler.tenants TO operator;
    GRANT INSERT, UPDATE, DELETE ON reconciler.holds TO operator;
    GRANT UPDATE ON reconciler.brake TO operator;
    GRANT EXECUTE ON FUNCTION reconciler.sign_up(text, text, text, text, text, jsonb, jsonb), reconciler.world_now()
      TO operator;
    DROP POLICY IF EXISTS everything ON reconciler.tenants;
    CREATE POLICY everything ON reconciler.tenants TO operator USING (true);
    DROP POLICY IF EXISTS everything ON reconciler.status;
    CREATE POLICY everything ON reconciler.status FOR SELECT TO operator USING (true);
  END IF;
END $$;
ALTER TABLE reconciler.tenants ENABLE ROW LEVEL SECURITY;
ALTER TABLE reconciler.status ENABLE ROW LEVEL SECURITY;
