-- name: close_changed
-- Equal facts at an equal price continue the open interval. An end never lies before its start.
UPDATE reconciler.ledger SET ended_at = greatest(%(at)s, started_at), end_uncertainty_s = %(uncertainty_s)s
WHERE workspace = %(workspace)s AND resource_id = %(resource_id)s AND ended_at IS NULL
  AND (facts <> %(facts)s OR usd_per_month IS DISTINCT FROM %(usd_per_month)s::numeric
       OR tenant <> %(tenant)s OR component <> %(component)s);

-- name: open
INSERT INTO reconciler.ledger
  (workspace, tenant, component, resource_id, kind, blueprint, tier, started_at, uncertainty_s, facts, usd_per_month, book)
SELECT %(workspace)s, t.name, %(component)s, %(resource_id)s,
  coalesce((SELECT i.kind FROM reconciler.inventory i WHERE i.workspace = %(workspace)s AND i.id = %(resource_id)s),
           (SELECT s.kind FROM reconciler.snapshot s WHERE s.workspace = %(workspace)s AND s.id = %(resource_id)s), ''),
  t.blueprint, t.tier,
  greatest(%(at)s, (SELECT max(l.ended_at) FROM reconciler.ledger l
                    WHERE l.workspace = %(workspace)s AND l.resource_id = %(resource_id)s)),
  %(uncertainty_s)s, %(facts)s, %(usd_per_month)s, %(book)s
FROM reconciler.tenants t WHERE t.name = %(tenant)s
ON CONFLICT (workspace, resource_id) WHERE ended_at IS NULL DO NOTHING;

-- name: end
UPDATE reconciler.ledger SET ended_at = greatest(%(at)s, started_at), end_uncertainty_s = %(uncertainty_s)s
WHERE workspace = %(workspace)s AND resource_id = %(resource_id)s AND ended_at IS NULL;

-- name: costs
-- Sums of intervals within a window. A month's price is spread over that month's own seconds, so that a full month
-- costs the full price whatever its length; numeric throughout.
WITH months AS (
  SELECT m AS starts, m + interval '1 month' AS ends
  FROM generate_series(date_trunc('month', %(since)s::timestamptz, 'UTC'), %(until)s, interval '1 month') m),
parts AS (
  SELECT l.*, CASE %(by)s
      WHEN 'tenant' THEN l.tenant WHEN 'component' THEN l.tenant || '/' || l.component WHEN 'kind' THEN l.kind
      WHEN 'blueprint' THEN l.blueprint WHEN 'tier' THEN coalesce(l.tier, '')
      ELSE coalesce(t.labels ->> %(label)s, '') END AS key,
    coalesce((SELECT sum(
        extract(epoch FROM least(coalesce(l.ended_at, %(until)s), m.ends, %(until)s) - greatest(l.started_at, m.starts, %(since)s))
        / extract(epoch FROM m.ends - m.starts))
      FROM months m
      WHERE greatest(l.started_at, m.starts, %(since)s) < least(coalesce(l.ended_at, %(until)s), m.ends, %(until)s)), 0)
      AS share,
    l.ended_at IS NULL AS open
  FROM reconciler.ledger l JOIN reconciler.tenants t ON t.name = l.tenant
  WHERE l.started_at < %(until)s AND (l.ended_at IS NULL OR l.ended_at > %(since)s) AND t.labels @> %(selector)s)
SELECT key,
  coalesce(sum(share * usd_per_month), 0)::numeric AS usd,
  coalesce(sum(usd_per_month) FILTER (WHERE open), 0)::numeric AS usd_per_month,
  count(DISTINCT resource_id) FILTER (WHERE usd_per_month IS NULL) AS unknown,
  coalesce(sum(uncertainty_s + end_uncertainty_s), 0)::float8 AS uncertainty_s
FROM parts GROUP BY key ORDER BY key;
