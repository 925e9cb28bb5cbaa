-- Which generation deleted a tenant: its exports are told from those of an earlier deletion, undone since, by a count and
-- not by clocks. The deletion has the database's time and the export that of whoever sent it: one that followed at once
-- could seem to have been before, and the purge would wait for it for ever.
ALTER TABLE reconciler.tenants ADD COLUMN deleted_generation bigint;

UPDATE reconciler.tenants t SET deleted_generation = least(t.generation, (
  SELECT min(o.generation) FROM reconciler.operations o
  WHERE o.tenant = t.name AND o.verb = 'export' AND o.sent_at >= t.deleted_at - interval '1 minute'))
WHERE t.state = 'deleted';

CREATE FUNCTION reconciler.count_deletion() RETURNS trigger
LANGUAGE plpgsql SET search_path = reconciler, pg_temp AS $$
BEGIN
  NEW.deleted_generation := CASE
    WHEN NEW.state <> 'deleted' THEN NULL
    WHEN TG_OP = 'INSERT' OR OLD.state <> 'deleted' THEN NEW.generation
    ELSE OLD.deleted_generation END;
  RETURN NEW;
END $$;
-- By its name after check_tenant, which counts the generation.
CREATE TRIGGER count_deletion BEFORE INSERT OR UPDATE ON reconciler.tenants
  FOR EACH ROW EXECUTE FUNCTION reconciler.count_deletion();
