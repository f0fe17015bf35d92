"""The embedded archive: Hive-partitioned Parquet files read with in-memory DuckDB."""
