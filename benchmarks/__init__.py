"""What srshell costs, each row beside the smallest program with the same promise, in one run."""
