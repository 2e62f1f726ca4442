"""`python -m srshell`: the command line."""

import sys

from srshell.cli import main

if __name__ == "__main__":
    sys.exit(main())
