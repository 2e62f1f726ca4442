"""The engine: carries out on disk and link what `srshell.replication` decides."""
