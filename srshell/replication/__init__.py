"""Decisions: pure machines that take events and return instructions."""
