"""A faked world for the shipped engine: disk, network, clock and kill, repeatable from a seed."""
