"""`python -m srshell.site`: one site, without the rest of the command line."""

import sys

from srshell.site.process import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
