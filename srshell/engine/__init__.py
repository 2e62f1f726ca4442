"""The engine carries out decisions on storage and transport, and serves reads and writes."""
