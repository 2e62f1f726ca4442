"""The engine: carries out, on disk and link, what the pure decisions of `srshell.replication` ask for."""
