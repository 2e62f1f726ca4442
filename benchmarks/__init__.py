"""What srshell costs, each row beside the smallest program that gives the same promise, in one run."""
