"""Write the golden files that are missing: ``python -m tests.unit.codec.make_golden``.

A file that exists is never rewritten, because it is what a released version wrote.  A layout that
changes gets a new version number and a new file beside the old one.  Only while nothing has been
released yet may a file be deleted and made again.
"""

from pathlib import Path

from tests.unit.codec import samples

FOLDER = Path(__file__).parent / "golden"


def main() -> None:
    """Create what is missing and name it."""
    FOLDER.mkdir(exist_ok=True)
    for name, data in samples.golden_files().items():
        path = FOLDER / name
        if not path.exists():
            path.write_bytes(data)
            print(f"made {path.name}, {len(data)} bytes")  # noqa: T201


if __name__ == "__main__":
    main()
