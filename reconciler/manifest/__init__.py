"""The edge of the spec language, from YAML to `core.spec`; nothing here may know Postgres, Render or the engine."""
