"""What a statement is once it is read: values, calls, pipelines.

Always true: a node holds no text that is still to be read, and nothing of a fabric.
"""

from __future__ import annotations

from typing import TypeAlias

import attrs


@attrs.frozen
class Literal:
    """A string without variables, a number, or a bare word."""

    value: str | int | float


@attrs.frozen
class Text:
    """A string between double quotes: pieces of text and variables."""

    parts: tuple[Node, ...]


@attrs.frozen
class Variable:
    """``$name``; ``$_`` is what a pipeline hands on."""

    name: str


@attrs.frozen
class Placeholder:
    """``<HostName>``: what a person was to fill in."""

    name: str


@attrs.frozen
class Member:
    """``value.Name``, or a call of a method with arguments."""

    value: Node
    name: str
    arguments: tuple[Node, ...] | None = None


@attrs.frozen
class Items:
    """``a, b, c``."""

    values: tuple[Node, ...]


@attrs.frozen
class Operation:
    """``left -eq right``, ``-not right``: the operator without its dash, in small letters."""

    operator: str
    left: Node | None
    right: Node


@attrs.frozen
class Block:
    """``{ … }``: an expression for each item of a pipeline."""

    body: Node


@attrs.frozen
class Argument:
    """One thing after a command: ``-Name``, ``-Name:value`` or a value."""

    name: str = ""
    value: Node | None = None


@attrs.frozen
class Command:
    """A cmdlet or one of its short names, and what stands after it."""

    name: str
    arguments: tuple[Argument, ...]


@attrs.frozen
class Pipeline:
    """Elements joined by ``|``."""

    elements: tuple[Node, ...]


@attrs.frozen
class Assignment:
    """``$name = pipeline``."""

    name: str
    value: Node


Node: TypeAlias = (
    Literal
    | Text
    | Variable
    | Placeholder
    | Member
    | Items
    | Operation
    | Block
    | Command
    | Pipeline
    | Assignment
)
