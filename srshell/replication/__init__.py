"""Decisions: events in, instructions out.

Nothing here does I/O, reads a clock or draws a random number.
"""
