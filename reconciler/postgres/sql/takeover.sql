-- name: holders
SELECT id, tenant, component FROM reconciler.inventory WHERE workspace = %(workspace)s;

-- name: tenants
SELECT name FROM reconciler.tenants WHERE purged_at IS NULL ORDER BY number;

-- name: fence
-- Whoever has a pass under way has planned without knowing what is owned now: it can write no more.
UPDATE reconciler.tenant_queue SET lease_owner = NULL, lease_until = NULL, lease_epoch = lease_epoch + 1
WHERE tenant = %(tenant)s;

-- name: under_way
SELECT component, verb FROM reconciler.operations WHERE tenant = %(tenant)s AND state IN ('sent', 'unknown') LIMIT 1;

-- name: missing
SELECT tenant, component, id FROM reconciler.inventory WHERE workspace = %(workspace)s AND id <> ALL (%(ids)s)
ORDER BY tenant, component;
