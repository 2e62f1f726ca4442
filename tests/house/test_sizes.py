"""A file is read in one sitting and a function at one glance."""

from tests.house import source_tree

FILE_LINES_MAX = 400
FUNCTION_LINES_MAX = 60


def test_no_file_is_longer_than_400_lines() -> None:
    """The giant file of a project is always its coordinator; ours has none."""
    too_long = {
        str(path): lines
        for path in source_tree.python_files()
        if (lines := len((source_tree.text(path) or "").splitlines())) > FILE_LINES_MAX
    }
    assert not too_long


def test_no_function_is_longer_than_60_lines() -> None:
    """Counted from ``def`` to the last line, with its docstring."""
    too_long = {
        f"{path}:{function.lineno} {function.name}": lines
        for path in source_tree.python_files()
        for function in source_tree.functions(path)
        if (lines := (function.end_lineno or 0) - function.lineno + 1) > FUNCTION_LINES_MAX
    }
    assert not too_long
