-- name: keep
-- A pass that did nothing new and says what the newest one said takes its place and is counted; the rest are added.
WITH newest AS (
  SELECT id, fingerprint FROM reconciler.passes WHERE tenant = %(tenant)s ORDER BY id DESC LIMIT 1),
again AS (
  UPDATE reconciler.passes p SET
    at = %(now)s, count = p.count + 1, epoch = %(epoch)s, wake_class = %(wake_class)s, took_s = %(took_s)s,
    summary = %(summary)s, version = %(version)s, document = %(document)s
  FROM newest WHERE p.id = newest.id AND newest.fingerprint <> '' AND newest.fingerprint = %(fingerprint)s
  RETURNING p.id)
INSERT INTO reconciler.passes
  (tenant, epoch, first_at, at, wake_class, took_s, result, generation, blueprint, revision, summary, fingerprint,
   version, document)
SELECT %(tenant)s, %(epoch)s, %(now)s, %(now)s, %(wake_class)s, %(took_s)s, %(result)s, %(generation)s, %(blueprint)s,
  %(revision)s, %(summary)s, %(fingerprint)s, %(version)s, %(document)s
WHERE NOT EXISTS (SELECT FROM again);

-- name: drop_oldest
DELETE FROM reconciler.passes WHERE tenant = %(tenant)s AND id <= (
  SELECT id FROM reconciler.passes WHERE tenant = %(tenant)s ORDER BY id DESC OFFSET %(count_max)s LIMIT 1);

-- name: trim
DELETE FROM reconciler.passes WHERE at < %(now)s::timestamptz - %(keep_s)s * interval '1 second';

-- name: of_tenant
SELECT * FROM reconciler.passes WHERE tenant = %(tenant)s ORDER BY id DESC LIMIT %(limit)s;

-- name: one
SELECT p.*, r.document AS blueprint_document FROM reconciler.passes p
LEFT JOIN reconciler.blueprint_revisions r ON r.blueprint = p.blueprint AND r.revision = p.revision
WHERE p.id = %(id)s;
