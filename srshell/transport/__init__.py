"""Links: ordered, bounded messages between two arrays."""
