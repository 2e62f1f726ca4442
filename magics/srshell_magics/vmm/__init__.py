"""The article's own command lines: a small part of PowerShell, run as commands of srshell."""
