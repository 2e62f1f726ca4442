"""Replicate storage volumes synchronously between two sites, from a shell, a notebook or Python."""

__version__ = "0.1.0"
