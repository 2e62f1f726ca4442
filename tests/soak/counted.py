"""The smallest piece of a soak: counts what it was asked to count.  Its ledger has tests."""

import argparse
import json


def main() -> None:
    """Print the figures."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--count", type=int, default=1)
    parser.add_argument("--from", type=int, default=0, dest="first")
    options = parser.parse_args()
    print(json.dumps({"things": options.count, "violations": 0}))  # noqa: T201


if __name__ == "__main__":
    main()
