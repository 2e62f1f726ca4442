"""Process entries: every command that a person can type after srshell."""
