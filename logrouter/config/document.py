"""A YAML file as plain data that remembers where each value stood.

In comes a path, out comes a Document: dicts, lists and scalars, and a place for every key and value. Duplicate keys,
which PyYAML lets pass, and everything that is not plain data are mistakes. Nothing is constructed: no tags, no code.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from logrouter.config.mistakes import Mistake, Place

Path_ = tuple[str | int, ...]
"""The keys and indexes that lead to a value."""

_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


_MAX_VALUES = 100_000
"""Far above any configuration; a few aliases within aliases can stand for billions of values."""

_TOO_LARGE = f"the file holds more than {_MAX_VALUES} values, aliases counted as what they stand for"


@dataclass(slots=True)
class Document:
    """What a file holds, where it stands, and what is wrong with it as YAML."""

    file: str
    data: Any = None
    values: dict[Path_, Place] = field(default_factory=dict)
    keys: dict[Path_, Place] = field(default_factory=dict)
    mistakes: list[Mistake] = field(default_factory=list)

    def place(self, path: Path_) -> Place:
        """Where the value at `path` stands; for one that is missing, where it ought to be."""
        while path and path not in self.values:
            path = path[:-1]
        return self.values.get(path, Place(self.file, 1, 1))

    def key_place(self, path: Path_) -> Place:
        """Where the key that leads to `path` stands."""
        return self.keys.get(path) or self.place(path)


def read_document(path: Path) -> Document:
    """The document in a file; a file that cannot be read or parsed is a document with a mistake."""
    document = Document(str(path))
    try:
        text = path.read_bytes().decode("utf-8-sig")
        node = yaml.compose(text, Loader=_LOADER)
    except OSError as error:
        document.mistakes.append(Mistake(Place(document.file), f"cannot be read: {error.strerror}"))
    except UnicodeDecodeError as error:
        document.mistakes.append(Mistake(Place(document.file), f"is not UTF-8: byte {error.start}"))
    except yaml.MarkedYAMLError as error:
        place = _place(document, error.problem_mark) if error.problem_mark else Place(document.file)
        document.mistakes.append(Mistake(place, f"not YAML: {error.problem or error}", _yaml_remedy(error)))
    except yaml.YAMLError as error:
        document.mistakes.append(Mistake(Place(document.file), f"not YAML: {' '.join(str(error).split())}"))
    else:
        document.data = _convert(document, node, ()) if node is not None else None
    return document


def yaml_files(paths: Iterable[Path]) -> Iterable[Path]:
    """The YAML files among these paths: a directory stands for those in it, by name."""
    for path in paths:
        yield from sorted([*path.glob("*.yaml"), *path.glob("*.yml")]) if path.is_dir() else [path]


def _yaml_remedy(error: yaml.MarkedYAMLError) -> str:
    if "found character" in (error.problem or "") or "mapping values" in (error.problem or ""):
        return "quote texts that hold `: `, `#`, `*`, `{` or a tab, and indent with spaces"
    return str(error.context or "")


def _convert(document: Document, node: yaml.Node, path: Path_) -> Any:
    if len(document.values) >= _MAX_VALUES:
        if not document.mistakes or document.mistakes[-1].problem != _TOO_LARGE:
            document.mistakes.append(Mistake(_place(document, node.start_mark), _TOO_LARGE))
        return None
    document.values[path] = _place(document, node.start_mark)
    if isinstance(node, yaml.MappingNode):
        return _convert_mapping(document, node, path)
    if isinstance(node, yaml.SequenceNode):
        return [_convert(document, child, (*path, index)) for index, child in enumerate(node.value)]
    loader = yaml.SafeLoader("")
    try:
        return loader.construct_object(node)
    except (yaml.YAMLError, ValueError) as error:
        problem = getattr(error, "problem", None) or error
        document.mistakes.append(Mistake(document.values[path], f"not a plain value: {problem}", "quote it"))
        return None
    finally:
        loader.dispose()


def _convert_mapping(document: Document, node: yaml.MappingNode, path: Path_) -> dict[str, Any]:
    mapping: dict[str, Any] = {}
    for key_node, value_node in node.value:
        place = _place(document, key_node.start_mark)
        if not isinstance(key_node, yaml.ScalarNode) or key_node.tag == "tag:yaml.org,2002:merge":
            document.mistakes.append(Mistake(place, "only plain words can be keys here"))
            continue
        key = key_node.value
        if key in mapping:
            first = document.keys[*path, key]
            document.mistakes.append(Mistake(place, f"`{key}` is here twice", f"the first is at {first}"))
            continue
        document.keys[*path, key] = place
        mapping[key] = _convert(document, value_node, (*path, key))
    return mapping


def _place(document: Document, mark: yaml.Mark) -> Place:
    return Place(document.file, mark.line + 1, mark.column + 1)
