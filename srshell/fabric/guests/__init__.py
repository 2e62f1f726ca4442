"""Machines of kind qemu: a real guest on the NBD export of a volume."""
