-- name: tenant
SELECT t.*, f.revision AS newest, s.document AS status FROM reconciler.tenants t
JOIN reconciler.blueprints f ON f.name = t.blueprint LEFT JOIN reconciler.status s ON s.name = t.name
WHERE t.name = %(tenant)s;

-- name: document
SELECT document FROM reconciler.blueprint_revisions WHERE blueprint = %(blueprint)s AND revision = %(revision)s;

-- name: owned
-- An object that the newest sweep still saw unchanged is as fresh as that sweep.
SELECT i.component, i.kind, i.id, i.name, i.absent_looks, i.known, i.created_at, i.since, s.observed,
  CASE WHEN s.absent_sweeps = 0 THEN greatest(s.seen_at, w.started_at) ELSE s.seen_at END AS seen_at
FROM reconciler.inventory i
LEFT JOIN reconciler.snapshot s ON s.workspace = i.workspace AND s.id = i.id
LEFT JOIN reconciler.sweeps w ON w.workspace = i.workspace AND w.kind = i.kind
WHERE i.tenant = %(tenant)s AND i.workspace = %(workspace)s ORDER BY i.component;

-- name: operations
-- What was planned and never sent is nothing.
SELECT id, component, verb, kind, name, live_id, request_hash, state, sent_at, looks, looked_at, environment_id, summary,
  status, message,
  extract(epoch FROM now() - sent_real_at)::float8 AS sent_ago_s
FROM reconciler.operations WHERE tenant = %(tenant)s AND state IN ('sent', 'unknown') ORDER BY id;

-- name: refusals
SELECT component, request_hash, generation, message, status FROM reconciler.refusals
WHERE tenant = %(tenant)s AND generation = %(generation)s ORDER BY at;

-- name: beside
-- Hold, brake, age of the picture, and whether every Postgres was exported since the deletion, in one row.
SELECT
  (SELECT to_jsonb(h) FROM reconciler.holds h WHERE h.tenant = %(tenant)s AND h.until > %(now)s) AS hold,
  b.mode AS brake, b.why AS brake_why,
  (SELECT min(started_at) FROM reconciler.sweeps WHERE workspace = %(workspace)s) AS swept_at,
  NOT EXISTS (
    SELECT FROM reconciler.inventory i WHERE i.tenant = %(tenant)s AND i.kind = 'postgres' AND NOT EXISTS (
      SELECT FROM reconciler.operations o WHERE o.tenant = i.tenant AND o.component = i.component
        AND o.verb = 'export' AND o.state = 'succeeded' AND o.sent_at >= %(deleted_at)s)) AS exported
FROM reconciler.brake b WHERE b.scope = 'all';

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
