-- name: open
-- Under our epoch, and in the place of what was planned there and never sent, with an id of its own: whoever planned that
-- can no longer send it. No row: the epoch is over, or an effect of the component is under way. This commit does not wait
-- for the disk: that of `mark_sent`, behind it in the log and before any byte, waits for both.
WITH held AS (
  SELECT tenant FROM reconciler.tenant_queue
  WHERE tenant = %(tenant)s AND lease_epoch = %(epoch)s AND lease_until IS NOT NULL FOR SHARE),
quick AS MATERIALIZED (SELECT set_config('synchronous_commit', 'off', true) AS mode)
INSERT INTO reconciler.operations
  (workspace, tenant, component, verb, kind, name, live_id, environment_id, request_hash, summary, state, bucket, epoch,
   generation, planned_at)
SELECT %(workspace)s, t.name, %(component)s, %(verb)s, %(kind)s, %(name)s, %(live_id)s, %(environment_id)s,
  %(request_hash)s, %(summary)s, 'planned', %(bucket)s, %(epoch)s, t.generation, %(now)s
FROM reconciler.tenants t JOIN held ON held.tenant = t.name CROSS JOIN quick
ON CONFLICT (tenant, component) WHERE state IN ('planned', 'sent', 'unknown') DO UPDATE SET
  id = DEFAULT, workspace = excluded.workspace, verb = excluded.verb, kind = excluded.kind, name = excluded.name,
  live_id = excluded.live_id, environment_id = excluded.environment_id, request_hash = excluded.request_hash,
  summary = excluded.summary, bucket = excluded.bucket, epoch = excluded.epoch, generation = excluded.generation,
  planned_at = excluded.planned_at
WHERE operations.state = 'planned'
RETURNING id;

-- name: mark_sent
UPDATE reconciler.operations SET
  state = 'sent', sent_at = %(now)s, sent_real_at = clock_timestamp(), bucket = %(bucket)s, window_start = %(window_start)s
WHERE id = %(id)s AND tenant = %(tenant)s AND state = 'planned';

-- name: take_back
DELETE FROM reconciler.operations WHERE id = %(id)s AND state = 'planned';

-- name: lock
SELECT tenant, component, verb, bucket, live_id, request_hash, generation, state, epoch,
  EXISTS (SELECT FROM reconciler.budget k WHERE k.workspace = o.workspace AND k.bucket = o.bucket || ' breaker') AS broken
FROM reconciler.operations o WHERE id = %(id)s FOR UPDATE;

-- name: settle
-- Counted where Render counted it: the reply's own time says in which window that was. What was unknown is settled by
-- looking: that is no answer of Render's to the call.
UPDATE reconciler.operations SET
  state = %(state)s, message = %(message)s, status = %(status)s,
  settled_at = CASE WHEN %(open)s THEN NULL ELSE %(now)s::timestamptz END,
  window_start = coalesce(%(window_start)s, window_start),
  looked_at = CASE WHEN state = 'unknown' AND NOT %(open)s THEN %(now)s::timestamptz ELSE looked_at END,
  sent_at = CASE WHEN %(state)s = 'planned' THEN NULL ELSE sent_at END
WHERE id = %(id)s;

-- name: look
UPDATE reconciler.operations SET looks = looks + 1, looked_at = %(now)s, state = 'unknown'
WHERE id = %(id)s AND state IN ('sent', 'unknown') RETURNING looks;

-- name: refuse
INSERT INTO reconciler.refusals (tenant, component, request_hash, generation, status, message, at)
VALUES (%(tenant)s, %(component)s, %(request_hash)s, %(generation)s, %(status)s, %(message)s, %(now)s)
ON CONFLICT (tenant, component, request_hash, generation) DO UPDATE SET
  status = excluded.status, message = excluded.message, at = excluded.at;

-- name: put_owned
-- Never takes an object from another tenant, and never a component's row from the object that has it.
INSERT INTO reconciler.inventory (workspace, id, tenant, component, kind, name, known, absent_looks, created_at, since)
VALUES (%(workspace)s, %(id)s, %(tenant)s, %(component)s, %(kind)s, %(name)s, %(known)s, %(absent_looks)s, %(created_at)s,
        %(since)s)
ON CONFLICT (workspace, id) DO UPDATE SET
  kind = excluded.kind, name = excluded.name, known = excluded.known, absent_looks = excluded.absent_looks,
  created_at = excluded.created_at, since = excluded.since
WHERE inventory.tenant = excluded.tenant AND inventory.component = excluded.component;

-- name: change_owned
-- What is learned of an object that is ours; one that was proved gone meanwhile does not come back by a late answer.
UPDATE reconciler.inventory SET
  kind = %(kind)s, name = %(name)s, known = %(known)s, absent_looks = %(absent_looks)s, created_at = %(created_at)s,
  since = %(since)s
WHERE workspace = %(workspace)s AND id = %(id)s AND tenant = %(tenant)s AND component = %(component)s;

-- name: holder
-- Who has the id, or the component's place, if it is not this very pair.
SELECT tenant, component, id FROM reconciler.inventory
WHERE (workspace = %(workspace)s AND id = %(id)s AND (tenant <> %(tenant)s OR component <> %(component)s))
   OR (tenant = %(tenant)s AND component = %(component)s AND (id <> %(id)s OR workspace <> %(workspace)s));

-- name: forget
-- With an object goes what was known of how to connect to it: its successor has another password.
WITH gone AS (
  DELETE FROM reconciler.inventory WHERE workspace = %(workspace)s AND tenant = %(tenant)s AND id = ANY (%(ids)s)
  RETURNING component)
DELETE FROM reconciler.secrets s USING gone
WHERE s.scope = 'connection' AND s.owner = %(tenant)s AND s.key = gone.component;

-- name: mark_gone
-- Forgotten means proved absent, but for an orphaned stack, which lives on.
UPDATE reconciler.snapshot SET gone = true, seen_at = greatest(seen_at, %(now)s::timestamptz)
WHERE workspace = %(workspace)s AND id = ANY (%(ids)s)
  AND NOT EXISTS (SELECT FROM reconciler.tenants t WHERE t.name = %(tenant)s AND t.purge_mode = 'orphan');

-- name: world_now
SELECT reconciler.world_now() AS now;

-- name: count_recent
SELECT count(*) AS sent FROM reconciler.operations
WHERE workspace = %(workspace)s AND verb = ANY (%(verbs)s) AND sent_at >= %(since)s;

-- name: trim_operations
-- Journal rows are kept for 90 days of the world, their tenant's export for as long as it is not purged.
DELETE FROM reconciler.operations o USING reconciler.tenants t
WHERE t.name = o.tenant AND o.state IN ('succeeded', 'refused', 'never_happened')
  AND coalesce(o.settled_at, o.planned_at) < %(now)s::timestamptz - interval '90 days'
  AND (o.verb <> 'export' OR t.purged_at IS NOT NULL);

-- name: trim_refusals
DELETE FROM reconciler.refusals r USING reconciler.tenants t WHERE t.name = r.tenant AND r.generation < t.generation;

-- name: trim_snapshot
DELETE FROM reconciler.snapshot s WHERE s.gone AND s.seen_at < %(now)s::timestamptz - interval '30 days'
  AND NOT EXISTS (SELECT FROM reconciler.inventory i WHERE i.workspace = s.workspace AND i.id = s.id);

-- name: trim_budget
DELETE FROM reconciler.budget WHERE live_id <> '' AND window_end < %(now)s::timestamptz - interval '1 day'
  AND (penalty_until IS NULL OR penalty_until < %(now)s);

-- name: trim_idempotency
DELETE FROM reconciler.idempotency WHERE at < now() - interval '1 day';
