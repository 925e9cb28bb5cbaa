-- name: active
SELECT r.blueprint, r.revision, r.started_at, b.document FROM reconciler.rollouts r
JOIN reconciler.blueprint_revisions b USING (blueprint, revision)
WHERE r.state = 'active' ORDER BY r.blueprint;

-- name: tenants
SELECT t.name, t.revision, t.generation, t.state, t.details -> 'pin' AS pin, t.created_at,
  s.phase, coalesce(s.ready, false) AS ready, coalesce(s.revision, 0) AS observed_revision,
  coalesce(s.observed_generation, 0) AS observed_generation, s.document #>> '{details,found}' AS found,
  s.document #>> '{conditions,1,reason}' AS synced
FROM reconciler.tenants t LEFT JOIN reconciler.status s USING (name)
WHERE t.blueprint = %(blueprint)s AND t.purged_at IS NULL ORDER BY t.number;

-- name: assign
UPDATE reconciler.tenants t SET revision = %(revision)s
FROM (SELECT name FROM reconciler.tenants WHERE name = ANY (%(names)s) AND purged_at IS NULL ORDER BY name FOR UPDATE) l
WHERE t.name = l.name AND t.revision <> %(revision)s
  AND EXISTS (SELECT FROM reconciler.blueprint_revisions b
              WHERE b.blueprint = t.blueprint AND b.revision = %(revision)s)
RETURNING t.name;

-- name: stop
UPDATE reconciler.rollouts SET state = 'stopped', why = %(why)s WHERE blueprint = %(blueprint)s AND state = 'active'
RETURNING revision;

-- name: halt
UPDATE reconciler.blueprint_revisions SET halted = %(halted)s
WHERE blueprint = %(blueprint)s AND revision = %(revision)s;

-- name: finish
UPDATE reconciler.rollouts SET state = 'finished', why = '' WHERE blueprint = %(blueprint)s AND state = 'active';

-- name: retry
UPDATE reconciler.rollouts SET state = 'active', why = '' WHERE blueprint = %(blueprint)s AND state = 'stopped'
RETURNING revision;

-- name: start
-- Only where somebody has to move.
INSERT INTO reconciler.rollouts (blueprint, revision, state, started_at, started_by)
SELECT %(blueprint)s, %(revision)s,
  CASE WHEN EXISTS (SELECT FROM reconciler.tenants WHERE blueprint = %(blueprint)s AND purged_at IS NULL
                    AND revision <> %(revision)s) THEN 'active' ELSE 'finished' END,
  reconciler.world_now(), %(by)s
ON CONFLICT (blueprint) DO UPDATE SET
  revision = excluded.revision, state = excluded.state, why = '', started_at = excluded.started_at,
  started_by = excluded.started_by;
