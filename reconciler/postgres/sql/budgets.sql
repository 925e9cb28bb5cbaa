-- name: ensure
-- The row must be there before it can be locked; ids of services get one each.
INSERT INTO reconciler.budget (workspace, bucket, live_id) VALUES (%(workspace)s, %(bucket)s, %(live_id)s)
ON CONFLICT DO NOTHING;

-- name: lock
-- One counter a window: the lock makes every grant of a bucket follow another, over all processes.
SELECT b.window_start, b.used, b.limit_seen, b.penalty_until, p.paused_until, p.paused_message,
  k.paused_until AS broken_until, k.paused_message AS broken
FROM reconciler.budget b
LEFT JOIN reconciler.budget p ON p.workspace = b.workspace AND p.bucket = b.bucket AND p.live_id = ''
LEFT JOIN reconciler.budget k ON k.workspace = b.workspace AND k.bucket = b.bucket || ' breaker' AND k.live_id = ''
WHERE b.workspace = %(workspace)s AND b.bucket = %(bucket)s AND b.live_id = %(live_id)s FOR UPDATE OF b;

-- name: peek
SELECT b.window_start, b.used, b.limit_seen, b.penalty_until, NULL::timestamptz AS paused_until, '' AS paused_message,
  NULL::timestamptz AS broken_until, '' AS broken
FROM reconciler.budget b
WHERE b.workspace = %(workspace)s AND b.bucket = %(bucket)s AND b.live_id = %(live_id)s;

-- name: store
UPDATE reconciler.budget SET
  window_start = %(window_start)s, window_end = %(window_end)s, used = %(used)s, limit_seen = %(limit_seen)s,
  penalty_until = %(penalty_until)s
WHERE workspace = %(workspace)s AND bucket = %(bucket)s AND live_id = %(live_id)s;

-- name: count_creates
-- The journal is the ledger of creates: exact across restarts. What was only planned costs nothing, nor what never
-- reached Render or met its 429; a verdict after look-ups (looks > 0) says nothing about the limit, so that counts.
SELECT count(*) AS used FROM reconciler.operations
WHERE workspace = %(workspace)s AND bucket = 'create' AND window_start = %(window_start)s AND state <> 'planned'
  AND NOT (state = 'never_happened' AND looks = 0 AND status IN (0, 429));

-- name: my_demand
-- Before the first pass of a tenant ended there is no demand row: its place follows from what is known.
SELECT coalesce(d.started, EXISTS (SELECT FROM reconciler.inventory i WHERE i.tenant = t.name
                                   AND i.kind = ANY (%(budgeted)s))) AS started,
  coalesce(d.priority, t.priority) AS priority, coalesce(d.since, t.created_at) AS since, coalesce(d.wanted, 1) AS wanted
FROM reconciler.tenants t LEFT JOIN reconciler.create_demand d ON d.tenant = t.name WHERE t.name = %(tenant)s;

-- name: ahead
-- Who stands before us: started stacks first, then priority, then since. A tenant whose passes fail one after the other
-- reserves nothing: it may never come. Who can begin is kept its whole stack, or many would begin and none end.
SELECT count(*)::int AS tenants, coalesce(sum(d.ready), 0)::int AS ready,
  coalesce(sum(d.wanted - d.ready) FILTER (WHERE d.started OR d.ready > 0), 0)::int AS started_later
FROM reconciler.create_demand d JOIN reconciler.tenant_queue q USING (tenant)
WHERE d.tenant <> %(tenant)s AND q.failures < %(hopeless)s
  AND (NOT d.started, -d.priority, d.since, d.tenant)
      < (NOT %(started)s::boolean, -%(priority)s::int, %(since)s::timestamptz, %(tenant)s::text);

-- name: unseen
-- How many who go before us, as more important or as important and here earlier, have not had their first pass yet, and so
-- could not say what they want. Claims come in batches, and of those looked at in one moment any may ask first. Nobody is
-- waited for longer than a first pass can take: its worker may be gone, or hang.
SELECT count(*)::int AS tenants
FROM reconciler.tenant_queue q JOIN reconciler.tenants t ON t.name = q.tenant
WHERE q.handled_seq = 0 AND t.state = 'running' AND t.purged_at IS NULL
  AND (-t.priority, t.created_at, t.name) < (-%(priority)s::int, %(since)s::timestamptz, %(tenant)s::text)
  AND t.created_at > %(newer_than)s::timestamptz
  AND NOT EXISTS (SELECT FROM reconciler.create_demand d WHERE d.tenant = q.tenant);

-- name: lock_cap
-- A row of the verb, locked until the grant is written: passes of the same moment count one after the other.
INSERT INTO reconciler.budget (workspace, bucket, live_id)
SELECT %(workspace)s, 'cap', verb FROM reconciler.operations WHERE id = %(id)s
ON CONFLICT (workspace, bucket, live_id) DO UPDATE SET bucket = excluded.bucket;

-- name: capped
SELECT o.verb, count(*)::int AS sent, min(o.sent_at) AS first_at FROM reconciler.operations o
WHERE o.workspace = %(workspace)s AND o.sent_at >= %(since)s
  AND o.verb = (SELECT verb FROM reconciler.operations WHERE id = %(id)s)
GROUP BY o.verb;

-- name: meet_demand
-- With its first create a stack counts as started: what it still needs is kept for it from then on.
UPDATE reconciler.create_demand SET
  wanted = greatest(wanted - 1, 0), ready = greatest(ready - 1, 0), started = true
WHERE tenant = %(tenant)s;

-- name: penalise
INSERT INTO reconciler.budget (workspace, bucket, live_id, penalty_until)
VALUES (%(workspace)s, %(bucket)s, %(live_id)s, %(until)s)
ON CONFLICT (workspace, bucket, live_id) DO UPDATE
SET penalty_until = greatest(budget.penalty_until, excluded.penalty_until);

-- name: pause
INSERT INTO reconciler.budget (workspace, bucket, live_id, paused_until, paused_message)
VALUES (%(workspace)s, %(bucket)s, '', %(until)s, %(message)s)
ON CONFLICT (workspace, bucket, live_id) DO UPDATE
SET paused_until = excluded.paused_until, paused_message = excluded.paused_message;

-- name: unpause
UPDATE reconciler.budget SET paused_until = NULL, paused_message = ''
WHERE workspace = %(workspace)s AND bucket = %(bucket)s AND live_id = '' AND paused_until IS NOT NULL;

-- name: failures
-- What is still under way says nothing; an answer below 500 says that the class works.
WITH newest AS (
  SELECT id, tenant, state = 'sent' AS under_way,
    (state IN ('succeeded', 'refused') AND looked_at IS NULL) OR status BETWEEN 400 AND 499 AS answered
  FROM reconciler.operations
  WHERE workspace = %(workspace)s AND bucket = %(bucket)s AND state <> 'planned' AND sent_at >= %(since)s
  ORDER BY id DESC LIMIT 100)
SELECT count(*)::int AS in_a_row, count(DISTINCT tenant)::int AS tenants FROM newest
WHERE NOT answered AND NOT under_way AND id > coalesce((SELECT max(id) FROM newest WHERE answered), 0);

-- name: break
-- The breaker of a class is a row beside its bucket: open until `paused_until`, half open after that, closed without it.
INSERT INTO reconciler.budget (workspace, bucket, live_id, paused_until, paused_message)
VALUES (%(workspace)s, %(bucket)s || ' breaker', '', %(until)s, %(message)s)
ON CONFLICT (workspace, bucket, live_id) DO UPDATE
SET paused_until = greatest(budget.paused_until, excluded.paused_until), paused_message = excluded.paused_message;

-- name: probe
-- Of several that find it half open, one is the probe.
UPDATE reconciler.budget SET paused_until = %(until)s
WHERE workspace = %(workspace)s AND bucket = %(bucket)s || ' breaker' AND live_id = '' AND paused_until <= %(now)s;

-- name: mend
DELETE FROM reconciler.budget WHERE workspace = %(workspace)s AND bucket = %(bucket)s || ' breaker' AND live_id = '';

-- name: broken
SELECT replace(bucket, ' breaker', '') AS bucket FROM reconciler.budget
WHERE workspace = %(workspace)s AND bucket LIKE '%% breaker' AND live_id = '';

-- name: repeats
SELECT request_hash, component, count(*) FILTER (WHERE generation = %(generation)s AND sent_at >= %(spins)s)::int AS spins,
  count(*) FILTER (WHERE bucket = 'create')::int AS births
FROM reconciler.operations
WHERE tenant = %(tenant)s AND state = 'succeeded' AND sent_at >= %(births)s AND (looked_at IS NULL OR bucket = 'create')
GROUP BY request_hash, component;

-- name: levels
SELECT bucket, window_start, used, limit_seen FROM reconciler.budget WHERE workspace = %(workspace)s AND live_id = '';

-- name: take_deep
-- A counter of its own beside the bucket of reads, which every call takes its token from as well.
INSERT INTO reconciler.budget (workspace, bucket, window_start, window_end, used)
VALUES (%(workspace)s, 'deep check', %(window_start)s, %(window_end)s, %(calls)s)
ON CONFLICT (workspace, bucket, live_id) DO UPDATE SET
  used = CASE WHEN budget.window_start = excluded.window_start THEN budget.used ELSE 0 END + excluded.used,
  window_start = excluded.window_start, window_end = excluded.window_end
WHERE budget.window_start < excluded.window_start
   OR (budget.window_start = excluded.window_start AND budget.used + excluded.used <= %(limit)s)
RETURNING used;
