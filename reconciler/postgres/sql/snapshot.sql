-- name: write
-- Unchanged rows are not even locked: they are filtered before the conflict clause sees them. An older look never
-- replaces a newer one. What lists leave out (parameter overrides) stays as a look at the object itself has shown it.
-- Answers the ids that changed.
WITH seen AS (
  SELECT s.id, s.kind, s.name, s.seen_at, old.id AS old_id, old.seen_at AS old_seen_at, old.observed AS old_observed,
    old.gone OR old.absent_sweeps > 0 AS missed,
    CASE WHEN s.observed #> '{fields,parameterOverrides}' IS NULL AND old.observed #> '{fields,parameterOverrides}' IS NOT NULL
      THEN jsonb_set(s.observed, '{fields,parameterOverrides}', old.observed #> '{fields,parameterOverrides}')
      ELSE s.observed END AS observed
  FROM jsonb_to_recordset(%(seen)s::jsonb) AS s (id text, kind text, name text, observed jsonb, seen_at timestamptz)
  LEFT JOIN reconciler.snapshot old ON old.workspace = %(workspace)s AND old.id = s.id)
INSERT INTO reconciler.snapshot (workspace, id, kind, name, observed, seen_at)
SELECT %(workspace)s, id, kind, name, observed, seen_at FROM seen
WHERE old_id IS NULL OR (seen_at >= old_seen_at AND (old_observed <> observed OR missed))
ORDER BY id
ON CONFLICT (workspace, id) DO UPDATE SET
  kind = excluded.kind, name = excluded.name, observed = excluded.observed, seen_at = excluded.seen_at,
  absent_sweeps = 0, gone = false
WHERE excluded.seen_at >= snapshot.seen_at
RETURNING id;

-- name: preview
-- Which of these would be written, and which had been missed: read without a lock, so that the tenants concerned can be
-- locked first, and so that what is as it was costs no more than this.
SELECT * FROM (
  SELECT s.id,
    old.id IS NULL OR (s.seen_at >= old.seen_at AND (
      old.gone OR old.absent_sweeps > 0 OR old.observed <>
        CASE WHEN s.observed #> '{fields,parameterOverrides}' IS NULL
                  AND old.observed #> '{fields,parameterOverrides}' IS NOT NULL
          THEN jsonb_set(s.observed, '{fields,parameterOverrides}', old.observed #> '{fields,parameterOverrides}')
          ELSE s.observed END)) AS changed,
    EXISTS (SELECT FROM reconciler.inventory i
            WHERE i.workspace = %(workspace)s AND i.id = s.id AND i.absent_looks > 0) AS missed_before
  FROM jsonb_to_recordset(%(seen)s::jsonb) AS s (id text, observed jsonb, seen_at timestamptz)
  LEFT JOIN reconciler.snapshot old ON old.workspace = %(workspace)s AND old.id = s.id) AS looked
WHERE changed OR missed_before;

-- name: missing
-- Only what was there before the sweep began can be missed by it.
SELECT s.id FROM reconciler.snapshot s LEFT JOIN unnest(%(ids)s::text[]) AS seen (id) ON seen.id = s.id
WHERE s.workspace = %(workspace)s AND s.kind = ANY (%(kinds)s) AND NOT s.gone AND s.seen_at < %(started_at)s
  AND seen.id IS NULL;

-- name: present
WITH mine AS (
  SELECT id FROM reconciler.inventory WHERE workspace = %(workspace)s AND id = ANY (%(ids)s) AND absent_looks > 0
  ORDER BY id FOR UPDATE)
UPDATE reconciler.inventory i SET absent_looks = 0 FROM mine WHERE i.workspace = %(workspace)s AND i.id = mine.id;

-- name: missed
WITH mine AS (
  SELECT id FROM reconciler.inventory WHERE workspace = %(workspace)s AND id = ANY (%(missed)s) ORDER BY id FOR UPDATE)
UPDATE reconciler.inventory i SET absent_looks = absent_looks + 1 FROM mine
WHERE i.workspace = %(workspace)s AND i.id = mine.id;

-- name: absent
-- Missed twice, an object counts as gone from the picture.
WITH mine AS (
  SELECT id FROM reconciler.snapshot WHERE workspace = %(workspace)s AND id = ANY (%(missed)s) AND NOT gone
    AND seen_at < %(started_at)s ORDER BY id FOR UPDATE)
UPDATE reconciler.snapshot s SET absent_sweeps = absent_sweeps + 1, gone = absent_sweeps >= 1
FROM mine WHERE s.workspace = %(workspace)s AND s.id = mine.id;

-- name: owners
SELECT DISTINCT tenant FROM reconciler.inventory WHERE workspace = %(workspace)s AND id = ANY (%(ids)s) ORDER BY tenant;

-- name: swept
INSERT INTO reconciler.sweeps (workspace, kind, started_at)
SELECT %(workspace)s, kind, %(started_at)s FROM unnest(%(kinds)s::text[]) kind ORDER BY kind
ON CONFLICT (workspace, kind) DO UPDATE SET started_at = greatest(sweeps.started_at, excluded.started_at);

-- name: sweeps
SELECT kind, started_at FROM reconciler.sweeps WHERE workspace = %(workspace)s;

-- name: swept_at
SELECT started_at FROM reconciler.sweeps WHERE workspace = %(workspace)s AND kind = %(kind)s;

-- name: count
SELECT count(*) AS objects FROM reconciler.snapshot
WHERE workspace = %(workspace)s AND kind = ANY (%(kinds)s) AND NOT gone;
