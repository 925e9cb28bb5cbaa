-- name: speak_for
-- For the rest of this transaction the triggers write this actor into the audit log.
SELECT set_config('reconciler.actor', %(actor)s, true), set_config('reconciler.via', %(via)s, true);

-- name: audit
INSERT INTO reconciler.audit (at, actor, via, action, subject, detail)
VALUES (%(now)s, %(actor)s, %(via)s, %(action)s, %(subject)s, %(detail)s);

-- name: tenants
-- One page of tenants with what stands beside each, and the number of all that match.
WITH matching AS (
  SELECT t.* FROM reconciler.tenants t
  WHERE (%(selector)s::jsonb IS NULL OR t.labels @> %(selector)s::jsonb)
    AND (%(names)s::text[] IS NULL OR t.name = ANY (%(names)s::text[]))
    AND (%(number)s::bigint IS NULL OR t.number = %(number)s::bigint)
    AND (%(display_name)s::text IS NULL OR lower(t.display_name) = lower(%(display_name)s::text))
    AND (%(created_by)s::text IS NULL OR t.created_by = %(created_by)s::text)
    AND (%(include_purged)s::boolean OR t.purged_at IS NULL)),
page AS (SELECT * FROM matching ORDER BY number LIMIT %(limit)s OFFSET %(offset)s)
SELECT (SELECT count(*) FROM matching) AS matches, p.*, s.document AS status, s.updated_at AS reconciled_at,
  coalesce(s.observed_generation = p.generation, false) AS fresh,
  (SELECT to_jsonb(h) FROM reconciler.holds h WHERE h.tenant = p.name AND h.until > %(now)s) AS hold,
  coalesce((SELECT jsonb_object_agg(i.component, i.id) FROM reconciler.inventory i WHERE i.tenant = p.name), '{}')
    AS resource_ids,
  nullif(q.due_at, 'epoch') AS next_at, coalesce(q.wake_class, '') AS next_class, coalesce(q.failures, 0) AS failures,
  coalesce(q.lease_until >= now(), false) AS under_way
FROM page p LEFT JOIN reconciler.status s USING (name) LEFT JOIN reconciler.tenant_queue q ON q.tenant = p.name
ORDER BY p.number;

-- name: versions
-- The transactions that last wrote a tenant's row and its status: other ones whenever either was written.
SELECT t.name, concat(t.xmin, ' ', s.xmin) AS version
FROM reconciler.tenants t LEFT JOIN reconciler.status s USING (name) WHERE t.purged_at IS NULL ORDER BY t.number;

-- name: count_tenants
SELECT count(*) AS matches FROM reconciler.tenants t
WHERE (%(selector)s::jsonb IS NULL OR t.labels @> %(selector)s::jsonb)
  AND (%(names)s::text[] IS NULL OR t.name = ANY (%(names)s::text[]))
  AND (%(created_by)s::text IS NULL OR t.created_by = %(created_by)s::text)
  AND (%(include_purged)s::boolean OR t.purged_at IS NULL);

-- name: lock_tenant
SELECT * FROM reconciler.tenants WHERE name = %(name)s FOR NO KEY UPDATE;

-- name: set_state
UPDATE reconciler.tenants SET state = %(state)s, purge_mode = %(purge_mode)s WHERE name = %(name)s;

-- name: set_token
UPDATE reconciler.tenants SET reconcile_token = %(token)s WHERE name = %(name)s;

-- name: lift_refusals
DELETE FROM reconciler.refusals WHERE tenant = %(name)s;

-- name: wake
SELECT reconciler.wake(%(names)s, 'user') AS tenant;

-- name: wake_blueprint
SELECT reconciler.wake(ARRAY(SELECT name FROM reconciler.tenants WHERE blueprint = %(name)s AND purged_at IS NULL), 'user')
  AS tenant;

-- name: exists
SELECT CASE %(scope)s WHEN 'blueprint' THEN EXISTS (SELECT FROM reconciler.blueprints WHERE name = %(owner)s)
            ELSE EXISTS (SELECT FROM reconciler.tenants WHERE name = %(owner)s AND purged_at IS NULL) END AS found;

-- name: set_hold
INSERT INTO reconciler.holds (tenant, held_by, why, until, at) VALUES (%(name)s, %(by)s, %(why)s, %(until)s, %(now)s)
ON CONFLICT (tenant) DO UPDATE SET
  held_by = excluded.held_by, why = excluded.why, until = excluded.until, at = excluded.at;

-- name: clear_hold
DELETE FROM reconciler.holds WHERE tenant = %(name)s AND until > %(now)s;

-- name: reject
INSERT INTO reconciler.rejections (kind, name, message, at) VALUES (%(kind)s, %(name)s, %(message)s, %(now)s)
ON CONFLICT (kind, name) DO UPDATE SET message = excluded.message, at = excluded.at;

-- name: accept
DELETE FROM reconciler.rejections WHERE kind = %(kind)s AND name = %(name)s;

-- name: rejections
SELECT kind, name, message, at FROM reconciler.rejections ORDER BY kind, name;

-- ------------------------------------------------------------ Blueprints

-- name: first_blueprint
INSERT INTO reconciler.blueprints (name, revision) VALUES (%(name)s, 0) ON CONFLICT DO NOTHING;

-- name: lock_blueprint
-- NO KEY: a sign-up inside a long transaction of the product holds a key lock on this row.
SELECT b.revision, r.document = %(document)s::jsonb AS same FROM reconciler.blueprints b
LEFT JOIN reconciler.blueprint_revisions r ON r.blueprint = b.name AND r.revision = b.revision
WHERE b.name = %(name)s FOR NO KEY UPDATE OF b;

-- name: put_revision
INSERT INTO reconciler.blueprint_revisions (blueprint, revision, document, created_at, created_by)
VALUES (%(name)s, %(revision)s, %(document)s, %(now)s, %(by)s);

-- name: put_face
UPDATE reconciler.blueprints SET revision = %(revision)s, params = %(params)s, keep_for_s = %(keep_for_s)s
WHERE name = %(name)s;

-- name: lock_leaving_tiers
-- Waits for sign-ups that are choosing one of them, and keeps new ones from it.
SELECT tier FROM reconciler.tiers WHERE blueprint = %(name)s AND NOT retired AND tier <> ALL (%(tiers)s)
ORDER BY tier FOR UPDATE;

-- name: tier_users
SELECT tier, name FROM reconciler.tenants
WHERE blueprint = %(name)s AND tier = ANY (%(leaving)s) AND purged_at IS NULL ORDER BY tier, name;

-- name: retire_tiers
UPDATE reconciler.tiers SET retired = true WHERE blueprint = %(name)s AND tier = ANY (%(leaving)s);

-- name: put_tiers
INSERT INTO reconciler.tiers (blueprint, tier) SELECT %(name)s, tier FROM unnest(%(tiers)s::text[]) tier ORDER BY tier
ON CONFLICT (blueprint, tier) DO UPDATE SET retired = false WHERE tiers.retired;

-- name: blueprints
SELECT b.name, r.revision, b.revision AS newest, r.document, r.created_at, r.created_by,
  (SELECT count(*) FROM reconciler.tenants t WHERE t.blueprint = b.name AND t.purged_at IS NULL) AS tenants,
  (SELECT count(*) FROM reconciler.tenants t WHERE t.blueprint = b.name AND t.purged_at IS NULL
     AND t.revision = o.revision) AS moved,
  o.revision AS target, o.state AS rollout_state, o.why AS rollout_why
FROM reconciler.blueprints b
JOIN reconciler.blueprint_revisions r ON r.blueprint = b.name AND r.revision = coalesce(%(revision)s::int, b.revision)
LEFT JOIN reconciler.rollouts o ON o.blueprint = b.name
WHERE %(name)s::text IS NULL OR b.name = %(name)s::text ORDER BY b.name;

-- ------------------------------------------------------------ what happened

-- name: newest_events
SELECT * FROM (SELECT * FROM reconciler.events WHERE %(tenant)s::text IS NULL OR tenant = %(tenant)s::text
               ORDER BY id DESC LIMIT %(limit)s) newest ORDER BY id;

-- name: events_after
SELECT * FROM reconciler.events WHERE id > %(after)s AND (%(tenant)s::text IS NULL OR tenant = %(tenant)s::text)
ORDER BY id LIMIT %(limit)s;

-- name: operations
SELECT id, component, verb, kind, name, live_id, request_hash, state, sent_at, looks, looked_at, environment_id, summary,
  status, message,
  extract(epoch FROM now() - sent_real_at)::float8 AS sent_ago_s
FROM reconciler.operations WHERE tenant = %(tenant)s ORDER BY id DESC LIMIT %(limit)s;

-- name: audits
SELECT at, actor, via, action, subject, detail FROM reconciler.audit
WHERE %(subject)s::text IS NULL OR subject = %(subject)s::text ORDER BY id DESC LIMIT %(limit)s;

-- name: queue
SELECT d.tenant, d.wanted, d.started, d.priority, d.since FROM reconciler.create_demand d
WHERE d.wanted > 0 ORDER BY NOT d.started, -d.priority, d.since, d.tenant;

-- name: create_budget
-- What is used of this hour's creates: ours by the journal, others' by the headers.
SELECT b.limit_seen, CASE WHEN b.window_start = %(window_start)s THEN b.used ELSE 0 END
  + (SELECT count(*) FROM reconciler.operations o WHERE o.workspace = b.workspace AND o.bucket = 'create'
     AND o.window_start = %(window_start)s AND o.state <> 'planned'
     AND NOT (o.state = 'never_happened' AND o.looks = 0 AND o.status IN (0, 429))) AS used
FROM reconciler.budget b WHERE b.bucket = 'create' AND b.live_id = '' ORDER BY b.window_start DESC LIMIT 1;

-- ------------------------------------------------------------ keys

-- name: put_key
INSERT INTO reconciler.api_keys (id, name, hash, scopes, created_at)
VALUES (%(id)s, %(name)s, %(hash)s, %(scopes)s, %(now)s) ON CONFLICT DO NOTHING;

-- name: find_key
SELECT id, name, hash, scopes, created_at, revoked_at FROM reconciler.api_keys WHERE id = %(id)s AND revoked_at IS NULL;

-- name: keys
SELECT id, name, scopes, created_at, revoked_at FROM reconciler.api_keys ORDER BY created_at, id;

-- name: revoke_key
UPDATE reconciler.api_keys SET revoked_at = %(now)s WHERE (id = %(word)s OR name = %(word)s) AND revoked_at IS NULL;

-- name: begin_answer
-- A request that began a minute ago and never answered died with its process: it may be asked again.
INSERT INTO reconciler.idempotency (key, fingerprint, at) VALUES (%(key)s, %(fingerprint)s, now())
ON CONFLICT (key) DO UPDATE SET fingerprint = excluded.fingerprint, status = NULL, body = NULL, at = excluded.at
WHERE idempotency.at < now() - interval '1 day'
   OR (idempotency.status IS NULL AND idempotency.fingerprint = excluded.fingerprint
       AND idempotency.at < now() - interval '1 minute')
RETURNING key;

-- name: read_answer
SELECT fingerprint, status, body FROM reconciler.idempotency WHERE key = %(key)s;

-- name: put_answer
UPDATE reconciler.idempotency SET status = %(status)s, body = %(body)s
WHERE key = %(key)s AND fingerprint = %(fingerprint)s;

-- name: forget_answer
DELETE FROM reconciler.idempotency WHERE key = %(key)s AND fingerprint = %(fingerprint)s AND status IS NULL;
