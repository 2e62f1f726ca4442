"""Run what was read: variables, expressions, pipelines.

Always true:

(1) A variable is the cell's own, or one of the notebook's; one that is neither is refused (SR0002),
    never empty.
(2) A pipeline hands items on one by one; a cmdlet that gets none does nothing, and says so.
(3) Nothing here speaks to a fabric but through the runner.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from typing import Any, Final

import attrs

from srshell.fabric.calls import unreadable
from srshell.model.errors import SrError
from srshell.model.identity import nearest
from srshell_magics.vmm import nodes, values
from srshell_magics.vmm.binding import bind, find
from srshell_magics.vmm.cmdlets import SHAPING
from srshell_magics.vmm.doing import Doing, Runner
from srshell_magics.vmm.listing import Listing

_CONSTANTS: Final[dict[str, Any]] = {"true": True, "false": False, "null": None}


@attrs.define
class Scope:
    """The variables of a cell; they stay for the next one."""

    own: dict[str, Any] = attrs.Factory(dict)  # by name in small letters
    notebook: Mapping[str, Any] = attrs.Factory(dict)

    def get(self, name: str) -> Any:  # noqa: ANN401 - whatever a script holds
        """The value of a variable.

        Raises:
            SrError: SR0002, it has none.
        """
        key = name.lower()
        if key in _CONSTANTS:
            return _CONSTANTS[key]
        if key in self.own:
            return self.own[key]
        known = {each.lower(): each for each in self.notebook if not each.startswith("_")}
        if name in self.notebook or key in known:
            return self.notebook[name if name in self.notebook else known[key]]
        near = nearest(key, [*self.own, *known])
        shown = ", ".join(f"${known.get(each, each)}" for each in near)
        facts = f"did you mean: {shown}" if near else "set it in the cell or in the notebook"
        raise SrError.make("SR0002", facts=facts, mend=f'${name} = "NAME"', name=f"${name}")

    def set(self, name: str, value: object) -> None:
        """Give a variable its value."""
        if name.lower() in _CONSTANTS:
            raise unreadable("", f"${name} cannot be set")
        self.own[name.lower()] = value


@attrs.define
class Evaluator:
    """Runs nodes."""

    scope: Scope
    runner: Runner
    _item: list[Any] = attrs.Factory(list)  # what $_ stands for, the innermost last

    def run(self, node: nodes.Node) -> Any:  # noqa: ANN401
        """Run a statement; returns its value, None for an assignment."""
        if isinstance(node, nodes.Assignment):
            self.scope.set(node.name, self.evaluate(node.value))
            return None
        return self.evaluate(node)

    def evaluate(self, node: nodes.Node) -> Any:  # noqa: ANN401 - one line a kind
        """The value of a node."""
        match node:
            case nodes.Literal():
                return node.value
            case nodes.Text():
                return "".join(_shown(self.evaluate(part)) for part in node.parts)
            case nodes.Variable():
                return self._variable(node.name)
            case nodes.Placeholder():
                raise SrError.make("SR0104", name=f"<{node.name}>")
            case nodes.Member():
                return self._member(node)
            case nodes.Items():
                return [self.evaluate(each) for each in node.values]
            case nodes.Operation():
                return self._operation(node)
            case nodes.Command():
                return self._command(node, None)
            case nodes.Pipeline():
                return self._pipeline(node)
            case _:
                raise unreadable("", "a block in braces cannot stand here")

    def _variable(self, name: str) -> Any:  # noqa: ANN401
        if name == "_":
            if not self._item:
                raise unreadable("", "$_ stands outside a pipeline")
            return self._item[-1]
        return self.scope.get(name)

    def _member(self, node: nodes.Member) -> Any:  # noqa: ANN401
        value = self.evaluate(node.value)
        if node.arguments is None:
            return values.property_of(value, node.name)
        return values.call(value, node.name, [self.evaluate(each) for each in node.arguments])

    def _operation(self, node: nodes.Operation) -> Any:  # noqa: ANN401
        right = node.right
        if node.operator == "not":
            return not self.evaluate(right)
        assert node.left is not None
        left = self.evaluate(node.left)
        match node.operator:
            case "and":
                return bool(left) and bool(self.evaluate(right))
            case "or":
                return bool(left) or bool(self.evaluate(right))
            case "xor":
                return bool(left) != bool(self.evaluate(right))
            case "plus" | "minus":
                return _sum(node.operator, left, self.evaluate(right))
            case operator:
                return values.compare(operator, left, self.evaluate(right))

    # --- pipelines ------------------------------------------------------------------------------

    def _pipeline(self, node: nodes.Pipeline) -> Any:  # noqa: ANN401
        passed = values.items_of(self.evaluate(node.elements[0]))
        for element in node.elements[1:]:
            if not isinstance(element, nodes.Command):
                raise unreadable("", "after | stands a cmdlet")
            result = self._command(element, passed)
            if isinstance(result, Listing):
                return result
            passed = values.items_of(result)
        return values.unwrapped(passed)

    def _command(self, node: nodes.Command, passed: list[Any] | None) -> Any:  # noqa: ANN401
        shape = SHAPING.get(node.name.lower())
        if shape is not None:
            return _SHAPES[shape](self, node, passed or [])
        cmdlet = find(node.name)
        if passed is None:
            return self._do(node)
        if not cmdlet.piped:
            raise unreadable("", f"{cmdlet.name} takes nothing from a pipeline")
        if not passed:
            self.runner.note(f"{cmdlet.name} got nothing from the pipeline: nothing to do")
        return values.unwrapped([self._do(node, (cmdlet.piped, item)) for item in passed])

    def _do(self, node: nodes.Command, piped: tuple[str, Any] | None = None) -> Any:  # noqa: ANN401
        bound = bind(find(node.name), node.arguments, self.evaluate)
        if piped is not None:
            bound.values.setdefault(*piped)
        result = Doing(bound, self.runner).do()
        if isinstance(result, list):
            result = values.unwrapped(result)
        if bound["JobVariable"] is not None:
            self.scope.set(str(bound["JobVariable"]), result)
        return result

    def each(self, body: nodes.Node, item: object) -> Any:  # noqa: ANN401
        """The value of a block for one item."""
        self._item.append(item)
        try:
            return self.evaluate(body)
        finally:
            self._item.pop()


def _shown(value: object) -> str:
    return "" if value is None else values.name_of(value) or str(value)


def _sum(operator: str, left: Any, right: Any) -> Any:  # noqa: ANN401
    try:
        if operator == "minus":
            return left - right
        return left + _shown(right) if isinstance(left, str) else left + right
    except TypeError as error:
        done = "added" if operator == "plus" else "subtracted"
        raise unreadable("", f"{_shown(left)!r} and {_shown(right)!r} cannot be {done}") from error


def _words(node: nodes.Command, evaluator: Evaluator) -> list[str]:
    """The names of properties after a command that shapes a pipeline."""
    names: list[str] = []
    for argument in node.arguments:
        if argument.name:
            raise unreadable("", f"{node.name} has no parameter -{argument.name} here")
        assert argument.value is not None
        names += [str(name) for name in values.items_of(evaluator.evaluate(argument.value))]
    return names


def _where(evaluator: Evaluator, node: nodes.Command, passed: list[Any]) -> Any:  # noqa: ANN401
    arguments = node.arguments
    if len(arguments) == 1 and isinstance(arguments[0].value, nodes.Block):
        body = arguments[0].value.body
        return [item for item in passed if evaluator.each(body, item)]
    test = arguments[1].name.lower() if len(arguments) == 3 else ""  # noqa: PLR2004
    if test not in values.COMPARISONS or arguments[2].value is None or arguments[0].value is None:
        raise unreadable("", "where takes { a condition }, or: Name -eq value")
    name = str(evaluator.evaluate(arguments[0].value))
    right = evaluator.evaluate(arguments[2].value)
    return [each for each in passed if values.compare(test, values.property_of(each, name), right)]


def _foreach(evaluator: Evaluator, node: nodes.Command, passed: list[Any]) -> Any:  # noqa: ANN401
    arguments = node.arguments
    if len(arguments) != 1 or not isinstance(arguments[0].value, nodes.Block):
        raise unreadable("", f"{node.name} takes {{ an expression }}")
    body = arguments[0].value.body
    results = [values.items_of(evaluator.each(body, item)) for item in passed]
    return list(itertools.chain.from_iterable(results))


def _select(evaluator: Evaluator, node: nodes.Command, passed: list[Any]) -> Any:  # noqa: ANN401
    names: list[str] = []
    expanded, waiting = "", ""
    for argument in node.arguments:
        if argument.name:
            waiting = argument.name.lower()
            continue
        assert argument.value is not None
        value = evaluator.evaluate(argument.value)
        if waiting in {"first", "last", "skip"}:
            if type(value) is not int or value < 0:
                raise unreadable("", f"select -{waiting} takes a number, not {value!r}")
            passed = _cut(waiting, value, passed)
        elif waiting == "expandproperty":
            expanded = str(value)
        elif waiting in {"", "property"}:
            names += [str(name) for name in values.items_of(value)]
        else:
            raise unreadable("", f"select has no parameter -{waiting} here")
        waiting = ""
    if expanded:
        return [values.property_of(item, expanded) for item in passed]
    if not names or names == ["*"]:
        return passed
    return [{name: values.property_of(item, name) for name in names} for item in passed]


def _cut(where: str, count: int, passed: list[Any]) -> list[Any]:
    match where:
        case "first":
            return passed[:count]
        case "last":
            return passed[-count:] if count else []
        case _:
            return passed[count:]


def _sort(evaluator: Evaluator, node: nodes.Command, passed: list[Any]) -> Any:  # noqa: ANN401
    backwards = any(
        "descending".startswith(each.name.lower()) for each in node.arguments if each.name
    )
    kept = tuple(each for each in node.arguments if not each.name)
    names = _words(attrs.evolve(node, arguments=kept), evaluator)

    def key(item: object) -> list[tuple[bool, Any]]:
        found = [values.property_of(item, name) for name in names] or [values.name_of(item)]
        return [(value is None, 0 if value is None else value) for value in found]

    try:
        return sorted(passed, key=key, reverse=backwards)
    except TypeError as error:
        raise unreadable("", "sort: the values are of kinds that have no order") from error


def _list(evaluator: Evaluator, node: nodes.Command, passed: list[Any]) -> Any:  # noqa: ANN401
    return Listing.of(passed, _words(node, evaluator), as_table=False)


def _table(evaluator: Evaluator, node: nodes.Command, passed: list[Any]) -> Any:  # noqa: ANN401
    return Listing.of(passed, _words(node, evaluator), as_table=True)


def _say(evaluator: Evaluator, node: nodes.Command, passed: list[Any]) -> Any:  # noqa: ANN401
    texts = [_shown(item) for item in passed] or _words(node, evaluator)
    evaluator.runner.note(" ".join(texts))
    return None


_SHAPES: Final[dict[str, Callable[[Evaluator, nodes.Command, list[Any]], Any]]] = {
    "where": _where,
    "foreach": _foreach,
    "select": _select,
    "sort": _sort,
    "list": _list,
    "table": _table,
    "say": _say,
}
