"""The client of the Render API, behind the ports; nothing here may know tenants, plans or the database."""
