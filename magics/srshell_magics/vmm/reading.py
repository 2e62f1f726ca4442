"""Read a statement: the part of PowerShell that the article's lines are written in.

Always true:

(1) Names of cmdlets, parameters, operators and variables are the same in small and capital letters.
(2) A statement is read whole or refused (SR0001) with what stands where it cannot go on; nothing
    of it is run before it is read.
"""

from __future__ import annotations

import functools
import re
from typing import Any, Final

from lark import Lark, Token, Transformer, UnexpectedInput
from lark.exceptions import VisitError

from srshell.fabric.calls import unreadable
from srshell.model.errors import SrError
from srshell_magics.vmm import nodes
from srshell_magics.vmm.values import COMPARISONS

_GRAMMAR: Final = r"""
    ?start: assignment | pipeline
    assignment: VARIABLE "=" pipeline
    ?pipeline: element ("|" element)*       -> pipeline
    ?element: command | _or

    command: NAME argument*
    argument: PARAMETER | PARAMETER_WITH _list | _list
    _list: items | block
    items: _item ("," _item)*
    _item: _postfix | BARE
    block: "{" _or "}"

    _or: or | _and
    or: _or (OR | XOR) _and
    _and: and | _not
    and: _and AND _not
    _not: not | _compared
    not: (NOT | "!") _not
    _compared: compared | _sum
    compared: _sum COMPARE _sum
    _sum: sum | _postfix
    sum: _sum ("+" | MINUS) _postfix

    _postfix: member | method | _primary
    member: _postfix MEMBER
    method: _postfix MEMBER "(" [_or ("," _or)*] ")"
    _primary: variable | string | number | placeholder | "(" pipeline ")" | array
    array: "@(" [pipeline ("," pipeline)*] ")"
    variable: VARIABLE
    string: DOUBLE | SINGLE
    number: NUMBER
    placeholder: PLACEHOLDER

    VARIABLE: /\$(?:[A-Za-z_]\w*|\{[^}]+\})/
    PLACEHOLDER: /<[A-Za-z][\w .-]*>/
    DOUBLE: /"(?:`.|""|[^"`])*"/
    SINGLE: /'(?:''|[^'])*'/
    NUMBER.2: /-?(?:0x[0-9a-f]+|\d+(?:\.\d+)?)(?:[kmgtp]b)?(?![\w.-])/i
    MEMBER.7: /(?<=[\w)}"'])\.[A-Za-z_]\w*/
    PARAMETER_WITH.4: /-[A-Za-z_]\w*:/
    PARAMETER.3: /-[A-Za-z_]\w*/
    OR.5: /-or\b/i
    XOR.5: /-xor\b/i
    AND.5: /-and\b/i
    NOT.5: /-not\b/i
    COMPARE.5: /-[ci]?(?:eq|ne|g[te]|l[te]|(?:not)?(?:like|match|contains|in))\b/i
    MINUS: "-"
    NAME.6: /[A-Za-z?%][\w.-]*/
    BARE: /[^\s$'"(){}|,;<>@=-][^\s'"(){}|,;<>]*/

    %ignore /\s+/
"""
_UNIT_BYTES: Final = {"kb": 1 << 10, "mb": 1 << 20, "gb": 1 << 30, "tb": 1 << 40, "pb": 1 << 50}
_INSIDE: Final = re.compile(r"\$(?:([A-Za-z_]\w*)|\{([^}]+)\})|`(.)|\"\"")
_ESCAPES: Final = {"n": "\n", "t": "\t", "0": "\0"}


def read(statement: str) -> nodes.Node:
    """Return the node that a statement stands for.

    Raises:
        SrError: SR0001, it is not of this part of PowerShell.
    """
    try:
        return _Reader().transform(_parser().parse(statement))  # type: ignore[no-any-return]
    except UnexpectedInput as error:
        raise _refusal(statement, error) from None
    except VisitError as error:
        if isinstance(error.orig_exc, SrError):
            raise error.orig_exc from None
        raise


@functools.cache
def _parser() -> Lark:
    return Lark(_GRAMMAR, parser="lalr", lexer="contextual", maybe_placeholders=False)


def _refusal(statement: str, error: UnexpectedInput) -> SrError:
    at = error.pos_in_stream
    if at is None or at < 0 or not statement[at:].strip():
        return unreadable("", "it breaks off", statement)
    return unreadable(
        "", f"{statement[at:].split(maxsplit=1)[0][:20]!r} cannot stand here", statement
    )


class _Reader(Transformer[Token, Any]):
    """Makes nodes of what the grammar found."""

    def assignment(self, parts: list[Any]) -> nodes.Node:
        return nodes.Assignment(_variable_name(parts[0]), parts[1])

    def pipeline(self, parts: list[Any]) -> nodes.Node:
        return parts[0] if len(parts) == 1 else nodes.Pipeline(tuple(parts))

    def command(self, parts: list[Any]) -> nodes.Node:
        return nodes.Command(str(parts[0]), tuple(parts[1:]))

    def argument(self, parts: list[Any]) -> nodes.Argument:
        first = parts[0]
        if isinstance(first, Token) and first.type.startswith("PARAMETER"):
            value = _plain(parts[1]) if len(parts) > 1 else None
            return nodes.Argument(str(first).strip("-:"), value)
        return nodes.Argument("", _plain(first))

    def items(self, parts: list[Any]) -> nodes.Node:
        values = tuple(map(_plain, parts))
        return values[0] if len(values) == 1 else nodes.Items(values)

    def array(self, parts: list[Any]) -> nodes.Node:
        return nodes.Items(tuple(parts))

    def block(self, parts: list[Any]) -> nodes.Node:
        return nodes.Block(parts[0])

    def compared(self, parts: list[Any]) -> nodes.Node:
        operator = str(parts[1]).lower().strip("-")
        if operator not in COMPARISONS:
            operator = operator[1:]  # -ceq and -ieq, with or without regard to capital letters
        return nodes.Operation(operator, parts[0], parts[2])

    def sum(self, parts: list[Any]) -> nodes.Node:
        minus = len(parts) == 3  # noqa: PLR2004 - a plus sign is filtered out, a minus is not
        return nodes.Operation("minus" if minus else "plus", parts[0], parts[-1])

    def or_(self, parts: list[Any]) -> nodes.Node:
        return nodes.Operation(str(parts[1]).lower().strip("-"), parts[0], parts[2])

    def and_(self, parts: list[Any]) -> nodes.Node:
        return nodes.Operation("and", parts[0], parts[2])

    def not_(self, parts: list[Any]) -> nodes.Node:
        return nodes.Operation("not", None, parts[-1])

    def member(self, parts: list[Any]) -> nodes.Node:
        return nodes.Member(parts[0], str(parts[1])[1:])

    def method(self, parts: list[Any]) -> nodes.Node:
        return nodes.Member(parts[0], str(parts[1])[1:], tuple(parts[2:]))

    def variable(self, parts: list[Any]) -> nodes.Node:
        return nodes.Variable(_variable_name(parts[0]))

    def placeholder(self, parts: list[Any]) -> nodes.Node:
        return nodes.Placeholder(str(parts[0])[1:-1])

    def number(self, parts: list[Any]) -> nodes.Node:
        return nodes.Literal(_number(str(parts[0])))

    def string(self, parts: list[Any]) -> nodes.Node:
        text = str(parts[0])
        if text.startswith("'"):
            return nodes.Literal(text[1:-1].replace("''", "'"))
        return _text(text[1:-1])


# Lark looks for methods that have the rules' names, which Python keeps for itself.
for _name in ("or", "and", "not"):
    setattr(_Reader, _name, getattr(_Reader, f"{_name}_"))


def _plain(part: Any) -> nodes.Node:  # noqa: ANN401 - a token or a node
    if isinstance(part, Token):
        return nodes.Literal(str(part))
    assert not isinstance(part, nodes.Argument)
    return part  # type: ignore[no-any-return]


def _variable_name(token: object) -> str:
    return str(token)[1:].strip("{}")


def _number(text: str) -> int | float:
    """A number, with ``KB`` to ``PB`` as powers of 1024."""
    unit = text[-2:].lower()
    digits, factor = (text[:-2], _UNIT_BYTES[unit]) if unit in _UNIT_BYTES else (text, 1)
    if digits.lower().lstrip("-").startswith("0x"):
        return int(digits, 16) * factor
    value = float(digits) * factor if "." in digits else int(digits) * factor
    return int(value) if value == int(value) else value


def _text(inside: str) -> nodes.Node:
    """A string between double quotes, with its variables."""
    parts: list[nodes.Node] = []
    plain = ""
    at = 0
    for found in _INSIDE.finditer(inside):
        plain += inside[at : found.start()]
        at = found.end()
        name = found[1] or found[2]
        if not name:
            plain += _ESCAPES.get(found[3], found[3]) if found[3] else '"'
            continue
        parts += [nodes.Literal(plain)] if plain else []
        parts.append(nodes.Variable(name))
        plain = ""
    plain += inside[at:]
    if not parts:
        return nodes.Literal(plain)
    return nodes.Text((*parts, nodes.Literal(plain)) if plain else tuple(parts))
