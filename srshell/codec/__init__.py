"""Values to bytes and back: log frames, superblock slots, bitmap pages and link messages.

Always true:

(1) Nothing here opens, waits, or asks for the time; the same value gives the same bytes.
(2) Each layout has one version number, golden files in the tests and a table in docs/format.md.
(3) Whatever is read was checked first: lengths before memory is taken, checksums before meaning.
"""
