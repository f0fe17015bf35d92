"""The client against the real service, and against a hostile one."""
