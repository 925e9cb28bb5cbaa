"""Everything that speaks SQL, behind the ports; nothing here may decide what a tenant's stack should look like."""
