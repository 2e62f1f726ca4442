"""Files: the only room that opens, writes and syncs one."""
