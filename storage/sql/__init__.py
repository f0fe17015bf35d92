"""A selector becomes SQL here, for DuckDB, Hive and Spark, through SQLGlot's builder.

No text of a caller is ever pasted into SQL: names are checked and quoted, values are literals
escaped for the dialect.
"""
