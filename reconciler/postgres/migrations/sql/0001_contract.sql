-- The SQL contract: what refuses, counts and wakes. Every refusal carries a message, a hint and the column it is about.

CREATE FUNCTION reconciler.world_now() RETURNS timestamptz
LANGUAGE sql VOLATILE SECURITY DEFINER SET search_path = reconciler, pg_temp
-- A clock that runs faster than ours is extrapolated for two minutes only: it stands still while its daemon is down.
RETURN coalesce(
  (SELECT world_at + speed * CASE WHEN speed = 1 THEN clock_timestamp() - real_at
                                  ELSE least(clock_timestamp() - real_at, interval '2 minutes') END
   FROM reconciler.world_clock),
  clock_timestamp());

CREATE FUNCTION reconciler.rank_class(class text) RETURNS integer
LANGUAGE sql IMMUTABLE
RETURN array_position(ARRAY['drift', 'settle', 'retry', 'user'], class);

CREATE FUNCTION reconciler.wake(tenants text[], class text) RETURNS SETOF text
LANGUAGE sql SECURITY DEFINER SET search_path = reconciler, pg_temp AS $$
  -- Locked in the order of names, so that two wakes of many tenants cannot deadlock.
  WITH locked AS (
    SELECT q.tenant FROM tenant_queue q WHERE q.tenant = ANY (tenants) ORDER BY q.tenant FOR UPDATE),
  woken AS (
    UPDATE tenant_queue q SET
      wake_seq = q.wake_seq + 1,
      wake_class = CASE WHEN q.wake_seq > q.handled_seq AND rank_class(q.wake_class) > rank_class(class)
                   THEN q.wake_class ELSE class END,
      queued_at = CASE WHEN q.wake_seq > q.handled_seq THEN q.queued_at ELSE clock_timestamp() END,
      due_at = 'epoch'
    FROM locked WHERE q.tenant = locked.tenant RETURNING q.tenant)
  SELECT woken.tenant FROM woken, LATERAL (SELECT pg_notify('reconciler_tenants', woken.tenant)) told;
$$;

CREATE FUNCTION reconciler.check_params(blueprint text, declared jsonb, params jsonb) RETURNS void
LANGUAGE plpgsql SET search_path = reconciler, pg_temp AS $$
DECLARE
  bad text;
  sort text;
  choices jsonb;
BEGIN
  SELECT k INTO bad FROM jsonb_object_keys(params) k WHERE NOT declared ? k ORDER BY k LIMIT 1;
  IF FOUND THEN
    RAISE check_violation USING COLUMN = 'params', MESSAGE = format('blueprint %L has no parameter %L', blueprint, bad),
      HINT = coalesce('it has: ' || (SELECT string_agg(k, ', ' ORDER BY k) FROM jsonb_object_keys(declared) k),
                      'it has none');
  END IF;
  SELECT key INTO bad FROM jsonb_each(declared)
    WHERE value @> '{"required": true}' AND coalesce(value -> 'default', 'null') = 'null' AND NOT params ? key
    ORDER BY key LIMIT 1;
  IF FOUND THEN
    RAISE check_violation USING COLUMN = 'params',
      MESSAGE = format('params.%s is required by blueprint %L', bad, blueprint),
      HINT = format('add %s to params', to_jsonb(bad));
  END IF;
  SELECT p.key, coalesce(d.value ->> 'type', 'string') INTO bad, sort
    FROM jsonb_each(params) p JOIN jsonb_each(declared) d USING (key)
    WHERE CASE coalesce(d.value ->> 'type', 'string')
            WHEN 'integer' THEN CASE WHEN jsonb_typeof(p.value) = 'number' THEN (p.value #>> '{}')::numeric % 1 <> 0
                                     ELSE true END
            ELSE jsonb_typeof(p.value) <> coalesce(d.value ->> 'type', 'string') END
    ORDER BY p.key LIMIT 1;
  IF FOUND THEN
    RAISE check_violation USING COLUMN = 'params',
      MESSAGE = format('params.%s must be of type %s, not %s', bad, sort, left(params ->> bad, 80)),
      HINT = format('give a JSON %s, or leave it out where it is not required', sort);
  END IF;
  SELECT p.key, d.value -> 'enum' INTO bad, choices
    FROM jsonb_each(params) p JOIN jsonb_each(declared) d USING (key)
    WHERE jsonb_typeof(d.value -> 'enum') = 'array' AND jsonb_array_length(d.value -> 'enum') > 0
      AND NOT d.value -> 'enum' @> jsonb_build_array(p.value)
    ORDER BY p.key LIMIT 1;
  IF FOUND THEN
    RAISE check_violation USING COLUMN = 'params',
      MESSAGE = format('params.%s cannot be %s', bad, left((params -> bad)::text, 80)),
      HINT = 'it is one of: ' || (SELECT string_agg(c #>> '{}', ', ') FROM jsonb_array_elements(choices) c);
  END IF;
END $$;

CREATE FUNCTION reconciler.check_words(tenant reconciler.tenants) RETURNS void
LANGUAGE plpgsql SET search_path = reconciler, pg_temp AS $$
BEGIN
  IF coalesce(tenant.name !~ '^[a-z][a-z0-9-]{0,37}[a-z0-9]$', true) THEN
    RAISE check_violation USING COLUMN = 'name', MESSAGE = format('name %L is not a DNS label', left(tenant.name, 80)),
      HINT = 'lower-case letters, digits and hyphens, 2 to 39 characters, a letter first, no hyphen last';
  END IF;
  IF coalesce(tenant.state NOT IN ('running', 'suspended', 'deleted'), true) THEN
    RAISE check_violation USING COLUMN = 'state', MESSAGE = format('state cannot be %L', left(tenant.state, 80)),
      HINT = 'it is one of: running, suspended, deleted';
  END IF;
  IF jsonb_typeof(tenant.params) IS DISTINCT FROM 'object' THEN
    RAISE check_violation USING COLUMN = 'params', MESSAGE = 'params must be a JSON object',
      HINT = 'for example {"locale": "de"}';
  END IF;
  IF jsonb_typeof(tenant.labels) IS DISTINCT FROM 'object'
     OR EXISTS (SELECT FROM jsonb_each(tenant.labels) WHERE jsonb_typeof(value) <> 'string') THEN
    RAISE check_violation USING COLUMN = 'labels', MESSAGE = 'labels must be a JSON object of strings',
      HINT = 'for example {"segment": "smb"}';
  END IF;
  IF tenant.display_name ~ '[[:cntrl:]]' THEN
    RAISE check_violation USING COLUMN = 'display_name', MESSAGE = 'display_name must be one line of printable text',
      HINT = 'remove control characters';
  END IF;
  IF tenant.region !~ '^[a-z][a-z0-9-]{0,31}$' THEN
    RAISE check_violation USING COLUMN = 'region', MESSAGE = format('region cannot be %L', left(tenant.region, 80)),
      HINT = 'for example frankfurt; leave it out for the Blueprint''s own';
  END IF;
END $$;

CREATE FUNCTION reconciler.check_tier(blueprint text, tier text) RETURNS void
LANGUAGE plpgsql SET search_path = reconciler, pg_temp AS $$
#variable_conflict use_variable
DECLARE
  has text := (SELECT string_agg(t.tier, ', ' ORDER BY t.tier) FROM tiers t
               WHERE t.blueprint = check_tier.blueprint AND NOT t.retired);
BEGIN
  IF tier IS NULL AND has IS NULL THEN
    RETURN;
  END IF;
  IF tier IS NULL THEN
    RAISE check_violation USING COLUMN = 'tier', MESSAGE = format('blueprint %L needs a tier', blueprint),
      HINT = 'it has: ' || has;
  END IF;
  -- Locked until the caller commits, so that an edit of the Blueprint cannot retire the tier meanwhile.
  PERFORM FROM tiers t WHERE t.blueprint = check_tier.blueprint AND t.tier = check_tier.tier AND NOT t.retired FOR SHARE;
  IF NOT FOUND THEN
    RAISE check_violation USING COLUMN = 'tier',
      MESSAGE = format('blueprint %L has no tier %L', blueprint, left(tier, 80)),
      HINT = coalesce('it has: ' || has, 'it has no tiers: leave tier out');
  END IF;
END $$;

CREATE FUNCTION reconciler.check_change(before reconciler.tenants, after reconciler.tenants) RETURNS void
LANGUAGE plpgsql SET search_path = reconciler, pg_temp AS $$
DECLARE
  fixed text := CASE WHEN before.name <> after.name THEN 'name'
                     WHEN before.blueprint <> after.blueprint THEN 'blueprint' END;
BEGIN
  IF fixed IS NOT NULL THEN
    RAISE check_violation USING COLUMN = fixed, MESSAGE = format('%s of tenant %L cannot change', fixed, before.name),
      HINT = 'sign up a new tenant, then set this one''s state to deleted';
  END IF;
  IF before.region IS DISTINCT FROM after.region AND EXISTS (SELECT FROM inventory i WHERE i.tenant = before.name) THEN
    RAISE check_violation USING COLUMN = 'region',
      MESSAGE = format('region of tenant %L cannot change once its stack is being built', before.name),
      HINT = 'Render cannot move a service: sign up a new tenant in the other region';
  END IF;
  IF before.purged_at IS NOT NULL AND after IS DISTINCT FROM before THEN
    RAISE check_violation USING COLUMN = 'state',
      MESSAGE = format('tenant %L was deleted and purged on %s', before.name, to_char(before.purged_at, 'YYYY-MM-DD')),
      HINT = 'its data is gone and the name is not used again: sign up under another name and external_id';
  END IF;
  IF before.state = 'deleted' AND after.state <> 'deleted' AND before.purge_at <= world_now() THEN
    RAISE check_violation USING COLUMN = 'state',
      MESSAGE = format('the purge of tenant %L began on %s', before.name, to_char(before.purge_at, 'YYYY-MM-DD HH24:MI')),
      HINT = 'a deletion can be undone until purge_at: sign up under another name and external_id';
  END IF;
END $$;

CREATE FUNCTION reconciler.spec_of(tenant reconciler.tenants) RETURNS jsonb
LANGUAGE sql STABLE
-- The columns that the generation counts: everything a person may say of a tenant.
RETURN jsonb_build_object(
  'display_name', tenant.display_name, 'tier', tenant.tier, 'state', tenant.state, 'params', tenant.params,
  'labels', tenant.labels, 'region', tenant.region, 'priority', tenant.priority, 'details', tenant.details);

CREATE FUNCTION reconciler.check_tenant() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = reconciler, pg_temp AS $$
DECLARE
  world timestamptz := world_now();
  face blueprints;
  inserted boolean := TG_OP = 'INSERT';
BEGIN
  NEW.tier := nullif(NEW.tier, '');
  NEW.region := nullif(NEW.region, '');
  PERFORM check_words(NEW);
  SELECT * INTO face FROM blueprints WHERE name = NEW.blueprint;
  IF NOT FOUND THEN
    RAISE check_violation USING COLUMN = 'blueprint',
      MESSAGE = format('there is no blueprint %L', left(NEW.blueprint, 80)),
      HINT = coalesce('there are: ' || (SELECT string_agg(name, ', ' ORDER BY name) FROM blueprints),
                      'apply one first: reconciler apply -f');
  END IF;
  IF inserted THEN
    NEW.generation := 1;
    NEW.purged_at := NULL;
    NEW.created_at := world;
    NEW.generation_at := world;
    NEW.revision := coalesce((SELECT max(revision) FROM blueprint_revisions WHERE blueprint = NEW.blueprint AND NOT halted),
                             face.revision);
    PERFORM check_tier(NEW.blueprint, NEW.tier);
    PERFORM check_params(NEW.blueprint, face.params, NEW.params);
  ELSE
    PERFORM check_change(OLD, NEW);
    NEW.number := OLD.number;
    NEW.created_by := OLD.created_by;
    NEW.created_at := OLD.created_at;
    NEW.generation := OLD.generation;
    NEW.generation_at := OLD.generation_at;
    -- Only what changes is judged: a Blueprint that asks for more than before must not forbid a suspension.
    IF NEW.tier IS DISTINCT FROM OLD.tier THEN
      PERFORM check_tier(NEW.blueprint, NEW.tier);
    END IF;
    IF NEW.params IS DISTINCT FROM OLD.params THEN
      PERFORM check_params(NEW.blueprint, face.params, NEW.params);
    END IF;
    IF spec_of(NEW) IS DISTINCT FROM spec_of(OLD) THEN
      NEW.generation := OLD.generation + 1;
      NEW.generation_at := world;
    END IF;
  END IF;
  NEW.deleted_at := CASE WHEN NEW.state <> 'deleted' THEN NULL
                         WHEN inserted OR OLD.state <> 'deleted' THEN world ELSE OLD.deleted_at END;
  IF NEW.state <> 'deleted' THEN
    NEW.purge_at := NULL;
    NEW.purge_mode := 'wait';
  ELSIF inserted OR OLD.state <> 'deleted' THEN
    NEW.purge_at := CASE NEW.purge_mode WHEN 'wait' THEN world + face.keep_for_s * interval '1 second' ELSE world END;
  ELSIF NEW.purge_mode <> 'wait' AND OLD.purge_mode = 'wait' THEN
    NEW.purge_at := least(OLD.purge_at, world);
  ELSE
    NEW.purge_at := OLD.purge_at;
    NEW.purge_mode := OLD.purge_mode;
  END IF;
  IF inserted OR NEW IS DISTINCT FROM OLD THEN
    NEW.updated_at := world;
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER check_tenant BEFORE INSERT OR UPDATE ON reconciler.tenants
  FOR EACH ROW EXECUTE FUNCTION reconciler.check_tenant();

CREATE FUNCTION reconciler.audit_tenant(before reconciler.tenants, after reconciler.tenants, owner oid) RETURNS void
LANGUAGE sql SET search_path = reconciler, pg_temp AS $$
  -- Who is believed to speak for somebody else: only the operator's own connection, which owns the table.
  INSERT INTO audit (at, actor, via, action, subject, detail)
  SELECT after.updated_at,
         CASE WHEN trusted THEN said.actor ELSE session_user END, CASE WHEN trusted THEN said.via ELSE 'sql' END,
         CASE WHEN before IS NULL THEN 'create tenant' ELSE 'change tenant' END, after.name,
         CASE WHEN before IS NULL THEN concat_ws(' ', after.blueprint, after.tier)
              ELSE (SELECT string_agg(CASE WHEN n.key IN ('tier', 'state', 'region', 'priority')
                                           THEN format('%s: %s -> %s', n.key, coalesce(o.value #>> '{}', '-'),
                                                       coalesce(n.value #>> '{}', '-'))
                                           ELSE n.key END, ', ' ORDER BY n.key)
                    FROM jsonb_each(spec_of(after)) n JOIN jsonb_each(spec_of(before)) o USING (key)
                    WHERE n.value IS DISTINCT FROM o.value) END
  FROM (SELECT nullif(current_setting('reconciler.actor', true), '') AS actor,
               nullif(current_setting('reconciler.via', true), '') AS via) said,
       LATERAL (SELECT said.actor IS NOT NULL AND said.via IS NOT NULL
                       AND pg_has_role(session_user, owner, 'USAGE') AS trusted) t;
$$;

CREATE FUNCTION reconciler.queue_tenant() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = reconciler, pg_temp AS $$
BEGIN
  IF TG_OP = 'INSERT' THEN
    INSERT INTO tenant_queue (tenant, queued_at) VALUES (NEW.name, clock_timestamp());
    PERFORM pg_notify('reconciler_tenants', NEW.name);
    PERFORM audit_tenant(NULL, NEW, (SELECT relowner FROM pg_class WHERE oid = TG_RELID));
  ELSIF NEW.generation <> OLD.generation OR NEW.purge_at IS DISTINCT FROM OLD.purge_at
        OR NEW.purge_mode <> OLD.purge_mode THEN
    PERFORM wake(ARRAY[NEW.name], 'user');
    PERFORM audit_tenant(OLD, NEW, (SELECT relowner FROM pg_class WHERE oid = TG_RELID));
  END IF;
  RETURN NULL;
END $$;
-- Deferred: the hot queue row is locked at COMMIT only, however long the product's own transaction lasts.
CREATE CONSTRAINT TRIGGER queue_tenant AFTER INSERT OR UPDATE ON reconciler.tenants
  DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION reconciler.queue_tenant();

CREATE FUNCTION reconciler.refuse_delete() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
  RAISE insufficient_privilege USING MESSAGE = format('%s on reconciler.tenants is refused', TG_OP),
    HINT = 'UPDATE reconciler.tenants SET state = ''deleted'' WHERE name = ...; the row stays as a tombstone';
END $$;
CREATE TRIGGER refuse_delete BEFORE DELETE OR TRUNCATE ON reconciler.tenants
  FOR EACH STATEMENT EXECUTE FUNCTION reconciler.refuse_delete();

CREATE FUNCTION reconciler.tell_status() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'INSERT' OR NEW.phase <> OLD.phase THEN
    PERFORM pg_notify('reconciler_status', NEW.name);
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER tell_status AFTER INSERT OR UPDATE ON reconciler.status
  FOR EACH ROW EXECUTE FUNCTION reconciler.tell_status();

CREATE FUNCTION reconciler.guard_ledger() RETURNS trigger
LANGUAGE plpgsql AS $$
BEGIN
  IF TG_OP = 'UPDATE' AND OLD.ended_at IS NULL AND NEW.ended_at IS NOT NULL
     AND to_jsonb(NEW) - '{ended_at,end_uncertainty_s}'::text[]
         = to_jsonb(OLD) - '{ended_at,end_uncertainty_s}'::text[] THEN
    RETURN NEW;
  END IF;
  RAISE insufficient_privilege USING MESSAGE = format('%s on reconciler.ledger is refused', TG_OP),
    HINT = 'the ledger is append-only: an open interval can be closed once, nothing else';
END $$;
CREATE TRIGGER guard_ledger BEFORE UPDATE OR DELETE ON reconciler.ledger
  FOR EACH ROW EXECUTE FUNCTION reconciler.guard_ledger();
CREATE TRIGGER guard_ledger_truncate BEFORE TRUNCATE ON reconciler.ledger
  FOR EACH STATEMENT EXECUTE FUNCTION reconciler.guard_ledger();

CREATE VIEW reconciler.tenant_status WITH (security_invoker) AS
SELECT t.name, t.external_id, t.state,
       CASE WHEN t.purged_at IS NOT NULL THEN 'Deleted' WHEN fresh THEN s.phase ELSE 'Pending' END AS phase,
       fresh AND t.state = 'running' AND s.ready AS ready,   -- never an old truth: generations are compared here
       s.url,
       CASE WHEN fresh THEN s.eta END AS eta,
       CASE WHEN fresh THEN s.message ELSE 'accepted' END AS message,
       s.monthly_usd, t.purge_at
FROM reconciler.tenants t
LEFT JOIN reconciler.status s USING (name),
LATERAL (SELECT coalesce(s.observed_generation = t.generation, false) AS fresh) f;

CREATE FUNCTION reconciler.sign_up(
  external_id text, name text, blueprint text, tier text DEFAULT NULL, display_name text DEFAULT NULL,
  params jsonb DEFAULT '{}', labels jsonb DEFAULT '{}') RETURNS SETOF reconciler.tenant_status
LANGUAGE plpgsql AS $$
#variable_conflict use_column
BEGIN
  IF $1 IS NULL OR $1 = '' THEN
    RAISE not_null_violation USING COLUMN = 'external_id', MESSAGE = 'external_id is required',
      HINT = 'give the id of the subscription or account: the same id is the same tenant, for ever';
  END IF;
  -- Look first: a retry must get its row even if the Blueprint would refuse its words today.
  RETURN QUERY SELECT * FROM reconciler.tenant_status v WHERE v.external_id = $1;
  IF FOUND THEN
    RETURN;
  END IF;
  -- No conflict target: a concurrent twin may win on the name as well as on the id.
  INSERT INTO reconciler.tenants (external_id, name, blueprint, tier, display_name, params, labels)
    VALUES ($1, $2, $3, $4, $5, coalesce($6, '{}'), coalesce($7, '{}')) ON CONFLICT DO NOTHING;
  RETURN QUERY SELECT * FROM reconciler.tenant_status v WHERE v.external_id = $1;
  IF NOT FOUND THEN
    RAISE unique_violation USING COLUMN = 'name', CONSTRAINT = 'name_is_taken',
      MESSAGE = format('name %L is taken', $2), HINT = 'choose another';
  END IF;
END $$;

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA reconciler FROM PUBLIC;
