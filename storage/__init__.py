"""Where series, results and files live: three stores behind three small protocols.

archive
    Long-term points and results: Parquet read with DuckDB (embedded), Hive (production).
index
    What people search and chart: SQLite (embedded), Elasticsearch (production).
objects
    Staging, plans, chunk results and commit markers: a folder (embedded), S3 (production).
series
    One source + metric + labels; its identity is :class:`storage.series_key.SeriesKey`.
"""
