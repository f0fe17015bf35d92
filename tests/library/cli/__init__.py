"""The command of the library."""
