"""Where series, results and files live: three stores behind three small protocols.

archive
    Long-term points and results: Parquet read with DuckDB (embedded), Hive (production).
index
    What people search and chart: SQLite (embedded), Elasticsearch (production).
objects
    Staging, plans, chunk results and commit markers: a folder (embedded), S3 (production).
series
    One source + metric + labels; its identity is :class:`storage.series_key.SeriesKey`.

The seams are ``archive``, ``index`` and ``objects``; ``stores`` opens what ``settings`` name.
``parquet/``, ``sqlite/`` and ``folder`` are the embedded implementations; ``sql/`` turns a
selector into SQL for DuckDB, Hive and Spark; ``conditions`` and ``cursor`` hold what all
implementations must understand alike.
"""
