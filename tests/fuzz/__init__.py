"""Random input for everything that reads bytes or words of others."""
