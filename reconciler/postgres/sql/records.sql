-- name: pass
-- Everything of one tenant that a pass reads, but for its Blueprint's document: one statement, and so one moment and
-- one trip. Rows of other tables come as JSON. What was planned and never sent is nothing; an object that the newest
-- sweep still saw unchanged is as fresh as that sweep; hold and brake, the age of the picture, and whether every
-- Postgres was exported since the deletion, stand beside.
SELECT t.*, f.revision AS newest, s.document AS status, b.mode AS brake, b.why AS brake_why,
  (SELECT json_agg(json_build_object(
      'component', i.component, 'kind', i.kind, 'id', i.id, 'name', i.name, 'absent_looks', i.absent_looks,
      'known', i.known, 'created_at', i.created_at, 'since', i.since, 'observed', o.observed,
      'seen_at', CASE WHEN o.absent_sweeps = 0 THEN greatest(o.seen_at, w.started_at) ELSE o.seen_at END)
      ORDER BY i.component)
   FROM reconciler.inventory i
   LEFT JOIN reconciler.snapshot o ON o.workspace = i.workspace AND o.id = i.id
   LEFT JOIN reconciler.sweeps w ON w.workspace = i.workspace AND w.kind = i.kind
   WHERE i.tenant = t.name AND i.workspace = %(workspace)s) AS owned,
  (SELECT json_agg(json_build_object(
      'id', p.id, 'component', p.component, 'verb', p.verb, 'kind', p.kind, 'name', p.name, 'live_id', p.live_id,
      'request_hash', p.request_hash, 'state', p.state, 'sent_at', p.sent_at, 'looks', p.looks, 'looked_at', p.looked_at,
      'environment_id', p.environment_id, 'summary', p.summary, 'status', p.status, 'message', p.message,
      'sent_ago_s', extract(epoch FROM now() - p.sent_real_at)::float8) ORDER BY p.id)
   FROM reconciler.operations p WHERE p.tenant = t.name AND p.state IN ('sent', 'unknown')) AS operations,
  (SELECT json_agg(json_build_object(
      'component', r.component, 'request_hash', r.request_hash, 'generation', r.generation, 'message', r.message,
      'status', r.status) ORDER BY r.at)
   FROM reconciler.refusals r WHERE r.tenant = t.name AND r.generation = t.generation) AS refusals,
  (SELECT json_agg(json_build_object(
      'scope', c.scope, 'owner', c.owner, 'key', c.key, 'ciphertext', encode(c.ciphertext, 'hex'), 'key_id', c.key_id))
   FROM reconciler.secrets c WHERE (c.scope IN ('tenant', 'connection') AND c.owner = t.name)
      OR (c.scope = 'blueprint' AND c.owner = t.blueprint)) AS secrets,
  (SELECT json_agg(json_build_object(
      'id', l.resource_id, 'tenant', l.tenant, 'component', l.component, 'facts', l.facts,
      'usd_per_month', l.usd_per_month::text))
   FROM reconciler.ledger l WHERE l.workspace = %(workspace)s AND l.ended_at IS NULL
     AND l.resource_id IN (SELECT i.id FROM reconciler.inventory i WHERE i.tenant = t.name AND i.workspace = %(workspace)s)
  ) AS metered,
  (SELECT to_json(h) FROM reconciler.holds h WHERE h.tenant = t.name AND h.until > %(now)s) AS hold,
  (SELECT min(started_at) FROM reconciler.sweeps WHERE workspace = %(workspace)s) AS swept_at,
  NOT EXISTS (
    SELECT FROM reconciler.inventory i WHERE i.tenant = t.name AND i.kind = 'postgres' AND NOT EXISTS (
      SELECT FROM reconciler.operations o WHERE o.tenant = i.tenant AND o.component = i.component
        AND o.verb = 'export' AND o.state = 'succeeded' AND o.generation >= t.deleted_generation)) AS exported
FROM reconciler.tenants t
JOIN reconciler.blueprints f ON f.name = t.blueprint
LEFT JOIN reconciler.status s ON s.name = t.name
LEFT JOIN reconciler.brake b ON b.scope = 'all'
WHERE t.name = %(tenant)s;

-- name: document
SELECT document FROM reconciler.blueprint_revisions WHERE blueprint = %(blueprint)s AND revision = %(revision)s;

-- name: unowned
SELECT s.observed, s.seen_at FROM reconciler.snapshot s
JOIN unnest(%(kinds)s::text[], %(names)s::text[]) AS wanted (kind, name) ON wanted.kind = s.kind AND wanted.name = s.name
WHERE s.workspace = %(workspace)s AND NOT s.gone
  AND NOT EXISTS (SELECT FROM reconciler.inventory i WHERE i.workspace = s.workspace AND i.id = s.id)
ORDER BY s.id;

-- name: brake
SELECT mode, why FROM reconciler.brake WHERE scope = 'all';

-- name: set_brake
INSERT INTO reconciler.brake (scope, mode, why, set_by, at)
VALUES ('all', %(mode)s, %(why)s, %(by)s, reconciler.world_now())
ON CONFLICT (scope) DO UPDATE SET mode = excluded.mode, why = excluded.why, set_by = excluded.set_by, at = excluded.at;

-- name: audit
INSERT INTO reconciler.audit (at, actor, via, action, subject, detail)
VALUES (reconciler.world_now(), %(actor)s, %(via)s, %(action)s, %(subject)s, %(detail)s);
