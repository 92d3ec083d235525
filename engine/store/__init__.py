"""Store: SQLAlchemy Core, one module for each group of tables; claims, leases, fingerprints."""
