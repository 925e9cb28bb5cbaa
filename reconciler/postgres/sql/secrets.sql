-- name: keep
-- Never replaces a secret that is there: two processes that generate one agree on the first.
INSERT INTO reconciler.secrets (scope, owner, key, ciphertext, key_id, updated_at)
VALUES (%(scope)s, %(owner)s, %(key)s, %(ciphertext)s, %(key_id)s, reconciler.world_now())
ON CONFLICT DO NOTHING;

-- name: put
INSERT INTO reconciler.secrets (scope, owner, key, ciphertext, key_id, updated_at)
VALUES (%(scope)s, %(owner)s, %(key)s, %(ciphertext)s, %(key_id)s, reconciler.world_now())
ON CONFLICT (scope, owner, key) DO UPDATE
SET ciphertext = excluded.ciphertext, key_id = excluded.key_id, updated_at = excluded.updated_at;

-- name: read
SELECT ciphertext, key_id FROM reconciler.secrets
WHERE scope = %(scope)s AND owner = %(owner)s AND key = %(key)s;

-- name: of_owner
SELECT key, ciphertext, key_id FROM reconciler.secrets WHERE scope = %(scope)s AND owner = %(owner)s ORDER BY key;

-- name: names
SELECT key, updated_at FROM reconciler.secrets WHERE scope = %(scope)s AND owner = %(owner)s ORDER BY key;

-- name: shared
-- What all tenants of a Blueprint share, spelt as a pass reads its secrets.
SELECT scope, owner, key, encode(ciphertext, 'hex') AS ciphertext, key_id FROM reconciler.secrets
WHERE scope = 'blueprint' AND owner = %(blueprint)s;

-- name: forget
DELETE FROM reconciler.secrets WHERE scope = %(scope)s AND owner = %(owner)s AND key = %(key)s;

-- name: forget_tenant
DELETE FROM reconciler.secrets WHERE scope IN ('tenant', 'connection') AND owner = %(tenant)s;

-- name: older_keys
SELECT scope, owner, key, ciphertext, key_id FROM reconciler.secrets WHERE key_id <> %(key_id)s
ORDER BY scope, owner, key;

-- name: reseal
-- Only if nobody set it anew meanwhile.
UPDATE reconciler.secrets SET ciphertext = %(ciphertext)s, key_id = %(key_id)s
WHERE scope = %(scope)s AND owner = %(owner)s AND key = %(key)s AND ciphertext = %(was)s;
