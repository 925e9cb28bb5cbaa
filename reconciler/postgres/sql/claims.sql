-- name: claim
-- $now is world time; leases alone use the database's own clock. A dirty row is due at 'epoch', whatever the world's time.
-- Every class is asked for as many rows as there are places, and its rows take turns `step` apart, the first one at
-- `starts`: so one statement draws by shares, and a class with nothing due yields its turns. Under the brake: nothing.
-- A class that keeps calls for others has no turn while those run short.
WITH due AS (
  SELECT c.wake_class, c.starts, c.step, q.tenant, q.due_at, q.queued_at
  FROM unnest(%(classes)s::text[], %(starts)s::float8[], %(steps)s::float8[], %(keeps)s::float8[])
      AS c (wake_class, starts, step, keeps),
    LATERAL (
      SELECT tenant, due_at, queued_at FROM reconciler.tenant_queue
      WHERE wake_class = c.wake_class AND due_at <= %(now)s AND (lease_until IS NULL OR lease_until < now())
        AND NOT EXISTS (SELECT FROM reconciler.brake WHERE scope = 'all' AND mode = 'stop')
        AND (c.keeps = 0 OR NOT EXISTS (
          SELECT FROM reconciler.budget b JOIN unnest(%(buckets)s::text[], %(limits)s::int[]) AS l (bucket, most) USING (bucket)
          WHERE b.workspace = %(workspace)s AND b.live_id = '' AND b.window_start <= %(now)s AND %(now)s < b.window_end
            AND b.used > (1 - c.keeps) * coalesce(b.limit_seen, l.most)))
      ORDER BY due_at, queued_at LIMIT %(limit)s FOR UPDATE SKIP LOCKED) q),
pick AS (
  SELECT tenant, due_at,
    starts + step * (row_number() OVER (PARTITION BY wake_class ORDER BY due_at, queued_at) - 1) AS turn
  FROM due ORDER BY turn LIMIT %(limit)s)
UPDATE reconciler.tenant_queue q SET
  lease_owner = %(owner)s, lease_until = now() + %(lease_s)s * interval '1 second', lease_epoch = q.lease_epoch + 1
FROM pick WHERE q.tenant = pick.tenant
RETURNING q.tenant, q.lease_epoch AS epoch, q.wake_seq, q.wake_class, q.failures,
  greatest(0, CASE WHEN q.wake_seq > q.handled_seq THEN extract(epoch FROM now() - q.queued_at)
    ELSE extract(epoch FROM %(now)s - pick.due_at)
         / coalesce((SELECT nullif(speed, 0) FROM reconciler.world_clock), 1) END)::float8 AS overdue_s;

-- name: renew
-- In the order of names, so that it cannot deadlock with a wake of many tenants.
WITH mine AS (
  SELECT tenant FROM reconciler.tenant_queue WHERE lease_owner = %(owner)s AND lease_until IS NOT NULL
    AND (%(tenants)s::text[] IS NULL OR tenant = ANY (%(tenants)s::text[]))
  ORDER BY tenant FOR UPDATE)
UPDATE reconciler.tenant_queue q SET lease_until = now() + %(lease_s)s * interval '1 second'
FROM mine WHERE q.tenant = mine.tenant RETURNING q.tenant;

-- name: release_all
-- The epoch moves, so that a straggler of this owner can write no more.
WITH mine AS (
  SELECT tenant FROM reconciler.tenant_queue WHERE lease_owner = %(owner)s AND lease_until IS NOT NULL
  ORDER BY tenant FOR UPDATE)
UPDATE reconciler.tenant_queue q SET lease_owner = NULL, lease_until = NULL, lease_epoch = q.lease_epoch + 1
FROM mine WHERE q.tenant = mine.tenant;

-- name: release_duties
DELETE FROM reconciler.singletons WHERE owner = %(owner)s;

-- name: hold_epoch
-- Keeps the lease from being claimed by another until this transaction ends; no row: it is not ours any more.
SELECT 1 AS held FROM reconciler.tenant_queue
WHERE tenant = %(tenant)s AND lease_epoch = %(epoch)s AND lease_until IS NOT NULL FOR SHARE;

-- name: release
-- The dirty bit: whoever woke the tenant since this pass read it (wake_seq > seen) finds it due at once.
UPDATE reconciler.tenant_queue SET
  handled_seq = greatest(handled_seq, %(seen)s),
  due_at = CASE WHEN wake_seq > %(seen)s THEN 'epoch' ELSE %(due_at)s END,
  wake_class = CASE WHEN wake_seq > %(seen)s THEN wake_class ELSE %(wake_class)s END,
  failures = CASE WHEN %(failed)s THEN failures + 1 ELSE 0 END,
  lease_owner = NULL, lease_until = NULL
WHERE tenant = %(tenant)s AND lease_epoch = %(epoch)s AND lease_until IS NOT NULL;

-- name: finish_unchanged
-- The end of most passes: released as above, and of a status that says the same only the time of the pass is written.
WITH released AS (
  UPDATE reconciler.tenant_queue SET
    handled_seq = greatest(handled_seq, %(seen)s),
    due_at = CASE WHEN wake_seq > %(seen)s THEN 'epoch' ELSE %(due_at)s END,
    wake_class = CASE WHEN wake_seq > %(seen)s THEN wake_class ELSE %(wake_class)s END,
    failures = CASE WHEN %(failed)s THEN failures + 1 ELSE 0 END,
    lease_owner = NULL, lease_until = NULL
  WHERE tenant = %(tenant)s AND lease_epoch = %(epoch)s AND lease_until IS NOT NULL RETURNING tenant),
seen AS (UPDATE reconciler.status s SET updated_at = %(now)s FROM released r WHERE s.name = r.tenant),
wanted AS (DELETE FROM reconciler.create_demand d USING released r WHERE d.tenant = r.tenant),
planned AS (DELETE FROM reconciler.operations o USING released r WHERE o.tenant = r.tenant AND o.state = 'planned')
SELECT tenant FROM released;

-- name: put_status
INSERT INTO reconciler.status
  (name, phase, ready, url, eta, message, monthly_usd, observed_generation, revision, document, updated_at)
VALUES (%(tenant)s, %(phase)s, %(ready)s, %(url)s, %(eta)s, %(message)s, %(monthly_usd)s, %(observed_generation)s,
        %(revision)s, %(document)s, %(now)s)
ON CONFLICT (name) DO UPDATE SET
  phase = excluded.phase, ready = excluded.ready, url = excluded.url, eta = excluded.eta, message = excluded.message,
  monthly_usd = excluded.monthly_usd, observed_generation = excluded.observed_generation,
  revision = excluded.revision, updated_at = excluded.updated_at,
  -- The same document keeps its stored bytes; updated_at says when the last pass was.
  document = CASE WHEN status.document = excluded.document THEN status.document ELSE excluded.document END;

-- name: lock_events
-- Ids must become visible in their order: whoever watches asks for ids after the last one seen.
SELECT pg_advisory_xact_lock(hashtext('reconciler.events'));

-- name: put_event
INSERT INTO reconciler.events (id, tenant, reason, component, message, warning, first_at, last_at)
VALUES (nextval('reconciler.event_ids'), %(tenant)s, %(reason)s, %(component)s, %(message)s, %(warning)s, %(now)s, %(now)s)
ON CONFLICT (tenant, reason, component) DO UPDATE SET
  id = nextval('reconciler.event_ids'), count = events.count + 1, message = excluded.message,
  warning = excluded.warning, last_at = excluded.last_at;

-- name: put_demand
INSERT INTO reconciler.create_demand (tenant, wanted, ready, started, priority, since)
VALUES (%(tenant)s, %(wanted)s, %(ready)s, %(started)s, %(priority)s, %(since)s)
ON CONFLICT (tenant) DO UPDATE SET
  wanted = excluded.wanted, ready = excluded.ready, started = excluded.started, priority = excluded.priority,
  since = excluded.since;

-- name: drop_demand
DELETE FROM reconciler.create_demand WHERE tenant = %(tenant)s;

-- name: drop_planned
-- What was planned and never sent has no meaning after the pass.
DELETE FROM reconciler.operations WHERE tenant = %(tenant)s AND state = 'planned';

-- name: bury
UPDATE reconciler.tenants SET purged_at = %(now)s WHERE name = %(tenant)s AND purged_at IS NULL;

-- name: drop_queue
DELETE FROM reconciler.tenant_queue WHERE tenant = %(tenant)s;

-- name: singleton
INSERT INTO reconciler.singletons (name, owner, until)
VALUES (%(name)s, %(owner)s, now() + %(lease_s)s * interval '1 second')
ON CONFLICT (name) DO UPDATE SET owner = excluded.owner, until = excluded.until
WHERE singletons.owner = excluded.owner OR singletons.until < now()
RETURNING name;

-- name: wake
SELECT reconciler.wake(%(tenants)s, %(wake_class)s) AS tenant;

-- name: set_clock
-- Of several daemons the one whose world is furthest wins only by its own clock: the newest word counts.
INSERT INTO reconciler.world_clock (world_at, real_at, speed) VALUES (%(now)s, clock_timestamp(), %(speed)s)
ON CONFLICT (one) DO UPDATE SET world_at = excluded.world_at, real_at = excluded.real_at, speed = excluded.speed;

-- name: backlog
SELECT wake_class, count(*) FILTER (WHERE due_at <= %(now)s AND (lease_until IS NULL OR lease_until < now())) AS due,
  count(*) FILTER (WHERE lease_until >= now()) AS leased,
  max(CASE WHEN lease_until >= now() OR due_at > %(now)s THEN 0
           WHEN wake_seq > handled_seq THEN extract(epoch FROM now() - queued_at)
           ELSE extract(epoch FROM %(now)s - due_at)
                / coalesce((SELECT nullif(speed, 0) FROM reconciler.world_clock), 1) END)::float8 AS overdue_s
FROM reconciler.tenant_queue GROUP BY wake_class;

-- name: count_unknown
SELECT count(*) AS unknown FROM reconciler.operations WHERE workspace = %(workspace)s AND state = 'unknown';

-- name: give_back
-- What the broken pass had seen counts as handled, or it would be due again at once, for ever.
UPDATE reconciler.tenant_queue SET
  handled_seq = greatest(handled_seq, %(seen)s),
  due_at = CASE WHEN wake_seq > %(seen)s THEN 'epoch' ELSE %(due_at)s END,
  wake_class = CASE WHEN wake_seq <= %(seen)s AND %(failed)s THEN 'retry' ELSE wake_class END,
  failures = failures + CASE WHEN %(failed)s THEN 1 ELSE 0 END,
  lease_owner = NULL, lease_until = NULL
WHERE tenant = %(tenant)s AND lease_epoch = %(epoch)s AND lease_until IS NOT NULL;
