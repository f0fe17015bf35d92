"""Hive and Spark servers: a pooled connection that streams Arrow batches.

options
    Where a server is and how it is asked, from the connections file; needs no extra package.
connection
    What the archive uses: execute, table, stream. One for a server, shared by threads.
pool, session, cancellation
    Sessions that are kept, one statement each; what is given up is cancelled on the server.
transport, sasl, gssapi, tls
    Bytes to and from the server, and who we are.
decode
    The server's column blocks as Arrow batches, without a Python object for each value.
errors
    Two families of errors (the server's status, the transport's end) as `storage.errors`.
"""
