"""Volumes served to other programs as network block devices (NBD)."""
