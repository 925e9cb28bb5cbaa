-- name: strangers
-- What nobody owns, with the environment it lies in, that one's project, and the tenant that has it.
SELECT s.observed, s.seen_at, e.id AS environment, p.name AS project, i.tenant
FROM reconciler.snapshot s
LEFT JOIN reconciler.snapshot e ON e.workspace = s.workspace AND e.id = s.observed ->> 'environment_id' AND NOT e.gone
LEFT JOIN reconciler.snapshot p ON p.workspace = s.workspace AND p.id = e.observed -> 'fields' ->> 'projectId'
LEFT JOIN reconciler.inventory i ON i.workspace = s.workspace AND i.id = e.id
WHERE NOT s.gone AND s.kind NOT IN ('project', 'environment')
  AND NOT EXISTS (SELECT FROM reconciler.inventory o WHERE o.workspace = s.workspace AND o.id = s.id)
ORDER BY s.id;

-- name: blueprints
SELECT r.blueprint AS name, r.document FROM reconciler.blueprint_revisions r
JOIN reconciler.blueprints b ON b.name = r.blueprint AND b.revision = r.revision ORDER BY r.blueprint;

-- name: tenants
SELECT name, purged_at IS NOT NULL AS purged FROM reconciler.tenants;

-- name: told_at
SELECT world_at FROM reconciler.world_clock;

-- name: open_names
SELECT kind, name FROM reconciler.operations WHERE state IN ('sent', 'unknown') AND verb = 'create';

-- name: vanished
SELECT tenant FROM reconciler.inventory WHERE workspace = %(workspace)s
GROUP BY tenant HAVING bool_and(absent_looks > 0) AND count(*) > 1 ORDER BY tenant;

-- name: mark_deleted
UPDATE reconciler.snapshot SET gone = true, seen_at = greatest(seen_at, %(now)s::timestamptz)
WHERE workspace = %(workspace)s AND id = %(id)s;

-- name: deleted_since
SELECT count(*) AS deleted FROM reconciler.audit WHERE action = 'delete orphan' AND at >= %(since)s;
