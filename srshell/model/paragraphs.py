"""Tables that are written as a person reads them: paragraphs of a head and labelled texts.

Always true: a line that begins with a label begins its text; any other line goes on with the last
one.  So a long text may be broken anywhere::

    SR1004 error R24: The array {array} does not carry the name of its cluster {cluster}.
        rule  the name of an array equals the name of its cluster
        why   The pool was labelled
              under another name.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

_LABEL = re.compile(r" {4}([a-z]+) +")


def read_paragraphs(table: str, labels: frozenset[str]) -> Iterator[tuple[str, dict[str, str]]]:
    """The paragraphs of a table, each as its head and its texts by label; missing ones are empty.

    Args:
        table: paragraphs, with an empty line between them.
        labels: the labels that may stand at the beginning of a line.
    """
    for paragraph in table.strip().split("\n\n"):
        texts = dict.fromkeys(("", *labels), "")
        label = ""
        for line in paragraph.splitlines():
            found = _LABEL.match(line)
            text = line.strip()
            if found is not None and found[1] in labels:
                label = found[1]
                text = line[found.end() :].strip()
            texts[label] = f"{texts[label]} {text}".strip()
        yield texts.pop(""), texts
