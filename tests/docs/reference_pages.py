"""Make docs/codes.md, docs/json.md and docs/configuration.md from the code itself, for `make docs`.

Always true: a page holds nothing that registry, reports or settings do not say.
"""

from __future__ import annotations

from typing import Any

import attrs

from srshell.fabric import reports as fabric_reports
from srshell.model.codes import CODES, FAMILIES, Severity
from srshell.model.report import REPORTS
from srshell_magics.settings import SRShell
from tests.docs.fences import ROOT

_MADE = "<!-- Made by `make docs`; do not edit. -->"

_CODES = f"""# Codes

{_MADE}

Every refusal, warning and event has a code; scripts match on it, and it never changes its meaning.
`srshell explain CODE` and `%explain CODE` show its text, also where no owner runs. Names in braces
are filled in.
"""
_JSON = f"""# JSON

{_MADE}

What `--json` prints, what a magic returns and what a method of `srshell.connect()` returns is one
report. Each carries its `schema`. Fields are added, never removed or renamed; a reader leaves out
what it does not know. `null` is unknown or not applicable, zero is zero; sizes are bytes, times are
Unix seconds, durations seconds.
"""
_CONFIGURATION = f"""# Configuration

{_MADE}

## Environment

| variable | what it says |
| --- | --- |
"""
#: What the environment can say; a test looks for each of them in the source.
VARIABLES = {
    "SRSHELL_FABRIC": "the fabric that commands mean: a directory, or the socket that was shared",
    "SRSHELL_LABS": "where sandboxes and progress of labs are kept; your data directory otherwise",
    "SRSHELL_LABS_PATH": "folders with more labs, separated as in PATH",
    "SRSHELL_LAB_SEED": "the seed that every lab is begun with; set by `srshell lab grade`",
    "NBGRADER_EXECUTION": "set by nbgrader: no command is waited for longer than 25 s",
    "NO_COLOR": "no colours",
    "TERM": "`dumb`: no drawing, no line that is written over",
}


def render_codes() -> str:
    """All codes, by families."""
    lines = [_CODES.rstrip("\n")]
    for digit, family in FAMILIES.items():
        members = [entry for entry in CODES.values() if entry.code[2] == digit]
        if not members:
            continue
        lines += ["", f"## SR{digit}xxx: {family}"]
        for entry in sorted(members, key=lambda each: each.code):
            kind = "" if entry.severity is Severity.ERROR else f" ({entry.severity.value})"
            lines += ["", f"**{entry.code}**{kind} {entry.message}  ", f"Rule: {entry.rule}."]
            if entry.article_rule:
                lines[-1] += f" It is rule {entry.article_rule} of the article."
            if entry.mend:
                lines[-1] += "  "
                lines.append(f"Mend: `{entry.mend}`")
    return "\n".join(lines) + "\n"


def render_json() -> str:
    """All reports with their fields."""
    known = {**REPORTS, **fabric_reports.OWN}
    lines = [_JSON.rstrip("\n")]
    for schema, report in sorted(known.items()):
        lines += ["", f"## {schema}", "", _sentence(report), ""]
        lines += ["| field | type |", "| --- | --- |"]
        lines += [f"| `{f.name}` | `{_type(f)}` |" for f in attrs.fields(report)
                  if f.name != "schema"]  # fmt: skip
    return "\n".join(lines) + "\n"


def render_configuration() -> str:
    """Variables and settings."""
    lines = [_CONFIGURATION.rstrip("\n")]
    lines += [f"| `{name}` | {text} |" for name, text in VARIABLES.items()]
    lines += ["", "## In IPython and Jupyter", "", "`%config SRShell` shows these, and"]
    lines += ['`%config SRShell.progress = "off"` sets one.', ""]
    lines += ["| setting | default | what it does |", "| --- | --- | --- |"]
    for name, trait in sorted(SRShell.class_own_traits(config=True).items()):
        lines.append(f"| `{name}` | `{trait.default_value!r}` | {trait.help} |")
    return "\n".join(lines) + "\n"


def _sentence(report: type[Any]) -> str:
    """What a report says of itself, on one line."""
    return " ".join((report.__doc__ or "").split("\n\n")[0].split())


def _type(field: Any) -> str:  # noqa: ANN401 - an attribute of attrs
    """The type of a field as it is written in the source."""
    kind = field.type
    text = kind if isinstance(kind, str) else getattr(kind, "__name__", str(kind))
    return str(text).replace("|", "\\|")


#: Page to what makes it.
PAGES = {
    ROOT / "docs" / "codes.md": render_codes,
    ROOT / "docs" / "json.md": render_json,
    ROOT / "docs" / "configuration.md": render_configuration,
}
