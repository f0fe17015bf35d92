"""A backup of what is embedded, and coming back from one.

The database is copied first and the archive after it: what a copy of the database says was stored
is then in the archive. Results and points that the archive has beyond that are told to the index
when it is rebuilt, and a rule's next run goes on from them.
"""
