-- A deletion that is hurried (`delete`, then `delete --now`) changes no word of the spec: its audit row says that instead
-- of nothing, which the column refuses.
CREATE OR REPLACE FUNCTION reconciler.audit_tenant(before reconciler.tenants, after reconciler.tenants, owner oid)
RETURNS void
LANGUAGE sql SET search_path = reconciler, pg_temp AS $$
  -- Who is believed to speak for somebody else: only the operator's own connection, which owns the table.
  INSERT INTO audit (at, actor, via, action, subject, detail)
  SELECT after.updated_at,
         CASE WHEN trusted THEN said.actor ELSE session_user END, CASE WHEN trusted THEN said.via ELSE 'sql' END,
         CASE WHEN before IS NULL THEN 'create tenant' ELSE 'change tenant' END, after.name,
         CASE WHEN before IS NULL THEN concat_ws(' ', after.blueprint, after.tier)
              ELSE coalesce(
                (SELECT string_agg(CASE WHEN n.key IN ('tier', 'state', 'region', 'priority')
                                        THEN format('%s: %s -> %s', n.key, coalesce(o.value #>> '{}', '-'),
                                                    coalesce(n.value #>> '{}', '-'))
                                        ELSE n.key END, ', ' ORDER BY n.key)
                 FROM jsonb_each(spec_of(after)) n JOIN jsonb_each(spec_of(before)) o USING (key)
                 WHERE n.value IS DISTINCT FROM o.value),
                format('purge: %s -> %s', before.purge_mode, after.purge_mode)) END
  FROM (SELECT nullif(current_setting('reconciler.actor', true), '') AS actor,
               nullif(current_setting('reconciler.via', true), '') AS via) said,
       LATERAL (SELECT said.actor IS NOT NULL AND said.via IS NOT NULL
                       AND pg_has_role(session_user, owner, 'USAGE') AS trusted) t;
$$;
