"""Statistics of a table: the users' library beside code by hand, and beside its peers."""
