"""Changes of the tables, one file each, in order; run by `service/database/migrate.py`."""
