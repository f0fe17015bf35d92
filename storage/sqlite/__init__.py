"""The embedded index: one SQLite file that several processes read and write at once."""
