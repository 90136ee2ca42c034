"""Build a tree of nodes from YAML text. Each node has its place, and depth and size of the tree are bounded.

The loaders of the library build a tree by recursion, and turn an alias within its own anchor into a ring. Either can
end the program. So the tree is built here, from the events of the library.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import yaml

MAX_DEPTH = 64
"""Far more than any configuration has; nested conditions may have a dozen levels."""

MAX_VALUES = 100_000
"""Far more than any configuration has; a few nested aliases can expand to billions of values."""

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_RESOLVER: Any = yaml.resolver.Resolver()


class Unreadable(Exception):
    """The text cannot be read. line, column: from 1.   remedy: what to write instead."""

    def __init__(self, mark: Any, problem: str, remedy: str) -> None:
        super().__init__(problem)
        self.line, self.column = mark.line + 1, mark.column + 1
        self.remedy = remedy


@dataclass(slots=True)
class Node:
    """A value.

    line, column: where it begins, from 1.   text: of a scalar; None for a list or mapping.
    children: items of a list; keys and values of a mapping, alternating.
    depth, size: levels and values of the tree below, including this node, with aliases expanded.
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
    """Return the only document in a text; None if the text is empty. Raises Unreadable or yaml.YAMLError."""
    tree = _NodeTree()
    for event in yaml.parse(text, Loader=_LOADER):
        tree.take(event)
    return tree.root


class _NodeTree:
    """The tree as built so far. root: the document, once it is complete."""

    def __init__(self) -> None:
        self.root: Node | None = None
        self._open: list[Node] = []
        self._anchored: dict[str, Node] = {}
        self._size = 0

    def take(self, event: Any) -> None:
        """Add the next event to the tree. Raises Unreadable."""
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
                raise Unreadable(
                    event.start_mark, "a second YAML document begins here", "remove the `---`, or write two files"
                )

    def _node(self, event: Any, tag: str, *, text: str | None = None, is_mapping: bool = False) -> Node:
        mark = event.start_mark
        node = Node(mark.line + 1, mark.column + 1, tag, text, is_mapping)
        if event.anchor is not None:
            self._anchored[event.anchor] = node
        return node

    def _alias(self, event: Any) -> Node:
        node = self._anchored.get(event.anchor)
        if node is None:
            problem = f"the alias `*{event.anchor}` has no anchor"
            raise Unreadable(event.start_mark, problem, f"define `&{event.anchor}` above it")
        if any(node is each for each in self._open):
            problem = f"the alias `*{event.anchor}` refers to a value that contains it"
            raise Unreadable(event.start_mark, problem, f"move it out of `&{event.anchor}`, which would have no end")
        return node

    def _add(self, node: Node, mark: Any) -> None:
        self._check_depth(node, mark)
        self._size += node.size
        if self._size + len(self._open) > MAX_VALUES:
            problem = f"the file has more than {MAX_VALUES} values, with aliases expanded"
            raise Unreadable(mark, problem, "split it into several files")
        self._put(node)

    def _check_depth(self, node: Node, mark: Any) -> None:
        if len(self._open) + node.depth > MAX_DEPTH:
            raise Unreadable(
                mark, f"this is nested more than {MAX_DEPTH} levels deep", "remove levels: no setting needs so many"
            )

    def _put(self, node: Node) -> None:
        if self._open:
            self._open[-1].children.append(node)
        else:
            self.root = node


def _tag_of(scalar: Any) -> str:
    """Return the tag of a scalar; if it has none, the tag that its form implies."""
    if scalar.tag in (None, "!"):
        return str(_RESOLVER.resolve(yaml.ScalarNode, scalar.value, scalar.implicit))
    return str(scalar.tag)
