"""YAML text -> a tree of nodes, each with its place; how deep and how large it can be has a bound.

A loader of the library's own builds a tree by recursion, and of an alias within what it stands for makes a ring: either
ends the program. So the tree is built here, from the library's events.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import yaml

MAX_DEPTH = 64
"""Far above any configuration; conditions within conditions may be a dozen."""

MAX_VALUES = 100_000
"""Likewise; a few aliases within aliases can stand for billions of values."""

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_RESOLVER: Any = yaml.resolver.Resolver()


class Unreadable(Exception):
    """The text cannot be taken in. line, column: where, from 1."""

    def __init__(self, mark: Any, problem: str, remedy: str) -> None:
        super().__init__(problem)
        self.line, self.column = mark.line + 1, mark.column + 1
        self.remedy = remedy


@dataclass(slots=True)
class Node:
    """A value. line, column: where it begins, from 1.   text: of a scalar, None for any other.

    children: of a list; of a mapping keys and values in turn.
    depth, size: levels and values from here downwards, aliases counted as what they stand for.
    """

    line: int
    column: int
    tag: str
    text: str | None = None
    is_mapping: bool = False
    children: list[Node] = field(default_factory=list)
    depth: int = 1
    size: int = 1


def compose(text: str) -> Node | None:
    """The one document in a text; None where there is none. Raises Unreadable, yaml.YAMLError."""
    tree = _NodeTree()
    for event in yaml.parse(text, Loader=_LOADER):
        tree.take(event)
    return tree.root


class _NodeTree:
    """What has come so far.   root: the document, once it is there."""

    def __init__(self) -> None:
        self.root: Node | None = None
        self._open: list[Node] = []
        self._anchored: dict[str, Node] = {}
        self._size = 0

    def take(self, event: Any) -> None:
        """The next event."""
        match event:
            case yaml.AliasEvent():
                self._add(self._alias(event), event.start_mark)
            case yaml.ScalarEvent():
                node = self._node(event, _tag_of(event), text=event.value)
                self._add(node, event.start_mark)
            case yaml.CollectionStartEvent():
                is_mapping = isinstance(event, yaml.MappingStartEvent)
                node = self._node(event, event.tag or "", is_mapping=is_mapping)
                self._check_depth(node, event.start_mark)
                self._open.append(node)
            case yaml.CollectionEndEvent():
                node = self._open.pop()
                node.depth += max((child.depth for child in node.children), default=0)
                node.size += sum(child.size for child in node.children)
                self._put(node)
            case yaml.DocumentStartEvent() if self.root is not None:
                raise Unreadable(event.start_mark, "a second document begins here", "leave the `---` out")

    def _node(self, event: Any, tag: str, *, text: str | None = None, is_mapping: bool = False) -> Node:
        mark = event.start_mark
        node = Node(mark.line + 1, mark.column + 1, tag, text, is_mapping)
        if event.anchor is not None:
            self._anchored[event.anchor] = node
        return node

    def _alias(self, event: Any) -> Node:
        node = self._anchored.get(event.anchor)
        if node is None:
            problem = f"`*{event.anchor}` stands for nothing"
            raise Unreadable(event.start_mark, problem, f"there is no `&{event.anchor}` above")
        if any(node is each for each in self._open):
            problem = f"`*{event.anchor}` is within what it stands for"
            raise Unreadable(event.start_mark, problem, f"`&{event.anchor}` would have no end")
        return node

    def _add(self, node: Node, mark: Any) -> None:
        self._check_depth(node, mark)
        self._size += node.size
        if self._size + len(self._open) > MAX_VALUES:
            problem = f"the file holds more than {MAX_VALUES} values, aliases counted as what they stand for"
            raise Unreadable(mark, problem, "make several files of it")
        self._put(node)

    def _check_depth(self, node: Node, mark: Any) -> None:
        if len(self._open) + node.depth > MAX_DEPTH:
            raise Unreadable(mark, f"this is nested more than {MAX_DEPTH} levels deep", "no setting is")

    def _put(self, node: Node) -> None:
        if self._open:
            self._open[-1].children.append(node)
        else:
            self.root = node


def _tag_of(scalar: Any) -> str:
    """What a scalar is: as it is tagged, or else by how it looks."""
    if scalar.tag in (None, "!"):
        return str(_RESOLVER.resolve(yaml.ScalarNode, scalar.value, scalar.implicit))
    return str(scalar.tag)
