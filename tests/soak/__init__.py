"""The long forms of the tests, and the ledger of what was run."""
