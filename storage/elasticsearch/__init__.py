"""The index on Elasticsearch: plain monthly indices, guarded writes, no scripts.

A kind of document (anomalies, points, bands) has an index for each UTC month of event time,
``<prefix>-<kind>-v1-YYYY.MM``; the catalog is one, ``<prefix>-series-v1``. Searches ask the alias
``<prefix>-<kind>``, writes name the month.
"""
