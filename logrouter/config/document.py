"""Read a YAML file as plain data (dicts, lists and scalars), with the location of every key and value.

Duplicate keys, which the library accepts, and everything that is not plain data are mistakes. No tag constructs an
object, and no code runs.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from logrouter.config.files import read_small
from logrouter.config.mistakes import Location, Mistake
from logrouter.config.nodes import Node, Unreadable, compose

KeyPath = tuple[str | int, ...]
"""The keys and indexes that lead to a value."""

_UNPRINTABLE = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that YAML rejects without naming a place."""

_YAML = "tag:yaml.org,2002:"
_TEXTS = {f"{_YAML}{name}" for name in ("str", "timestamp", "merge", "value")}
_COLLECTIONS = {"", "!", f"{_YAML}map", f"{_YAML}seq"}
_CONSTRUCTOR = yaml.constructor.SafeConstructor()
_CONSTRUCT = {
    f"{_YAML}int": _CONSTRUCTOR.construct_yaml_int,
    f"{_YAML}float": _CONSTRUCTOR.construct_yaml_float,
    f"{_YAML}bool": _CONSTRUCTOR.construct_yaml_bool,
    f"{_YAML}null": _CONSTRUCTOR.construct_yaml_null,
}

_SHOWN = 40
_LONGEST_NUMBER = 64
_MAX_NUMBER = 1 << 63


class Whole(int):
    """An integer that is not written as Python writes it, such as `007`. written: its text in the file."""

    written: str


class Fraction(float):
    """A float that is not written as Python writes it, such as `1.10`. written: its text in the file."""

    written: str


@dataclass(slots=True)
class Document:
    """The data of a file, the locations of its values and keys, and its mistakes. The path of the whole file is ()."""

    file: str
    data: Any = None
    values: dict[KeyPath, Location] = field(default_factory=dict)
    keys: dict[KeyPath, Location] = field(default_factory=dict)
    mistakes: list[Mistake] = field(default_factory=list)

    def place(self, path: KeyPath) -> Location:
        """Return the location of the value at `path`; if it is missing, that of the closest value around it."""
        while path and path not in self.values:
            path = path[:-1]
        return self.values.get(path, Location(self.file, 1, 1))

    def key_place(self, path: KeyPath) -> Location:
        """Return the location of the key that leads to `path`."""
        return self.keys.get(path) or self.place(path)


def read_document(path: Path) -> Document:
    """Return the document in a file. If the file cannot be read or parsed, the document has a mistake."""
    document = Document(str(path))
    try:
        node = compose(_text(document, read_small(path)))
    except OSError as error:
        document.mistakes.append(Mistake(Location(document.file), f"cannot read the file: {error.strerror}"))
    except Unreadable as error:
        document.mistakes.append(Mistake(Location(document.file, error.line, error.column), str(error), error.remedy))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        place = Location(document.file, mark.line + 1, mark.column + 1) if mark else Location(document.file)
        document.mistakes.append(
            Mistake(place, f"this is not valid YAML: {error.problem or error}", _yaml_remedy(error))
        )
    except yaml.YAMLError as error:
        reason = " ".join(str(error).split())
        document.mistakes.append(Mistake(Location(document.file), f"the file is not valid YAML: {reason}"))
    else:
        document.data = _convert(document, node, ()) if node is not None else None
    return document


def _text(document: Document, content: bytes) -> str:
    """Return the text of a file; '', and add a mistake, if it is not text."""
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        problem = f"the file is not UTF-8: byte {error.start} is invalid"
        document.mistakes.append(Mistake(Location(document.file), problem, "save it as UTF-8"))
        return ""
    if found := _UNPRINTABLE.search(text):
        before = text[: found.start()]
        place = Location(document.file, before.count("\n") + 1, len(before) - before.rfind("\n"))
        document.mistakes.append(
            Mistake(place, f"YAML does not allow the character {found[0]!a}", "remove it; is this the right file?")
        )
        return ""
    return text


def yaml_files(paths: Iterable[Path]) -> Iterable[Path]:
    """Yield these paths, with each directory replaced by the YAML files in it, sorted by name."""
    for path in paths:
        yield from sorted([*path.glob("*.yaml"), *path.glob("*.yml")]) if path.is_dir() else [path]


def _yaml_remedy(error: yaml.MarkedYAMLError) -> str:
    if any(word in (error.problem or "") for word in ("found character", "mapping values", "tab character")):
        return "quote text that contains `: `, `#`, `*`, `{` or a tab, and indent with spaces"
    return str(error.context or "")


def _convert(document: Document, node: Node, path: KeyPath) -> Any:
    document.values[path] = place = Location(document.file, node.line, node.column)
    if node.text is not None:
        return _scalar(document, node, node.text, place)
    if node.tag not in _COLLECTIONS:
        document.mistakes.append(_no_value(node, place))
    if node.is_mapping:
        return _convert_mapping(document, node, path)
    return [_convert(document, child, (*path, index)) for index, child in enumerate(node.children)]


def _convert_mapping(document: Document, node: Node, path: KeyPath) -> dict[str, Any]:
    mapping: dict[str, Any] = {}
    for key_node, value_node in zip(node.children[::2], node.children[1::2], strict=True):
        place = Location(document.file, key_node.line, key_node.column)
        if key_node.text is None:
            document.mistakes.append(Mistake(place, "a key must be plain text, not a list or a mapping"))
            continue
        if key_node.tag == f"{_YAML}merge":
            problem = "the merge key `<<` is not supported"
            document.mistakes.append(Mistake(place, problem, "write out the keys that it merges"))
            continue
        key = _cleaned(document, key_node.text, place)
        if key in mapping:
            first = document.keys[*path, key]
            document.mistakes.append(
                Mistake(place, f"the key `{key}` appears twice", f"remove one of them; the first is at {first}")
            )
            continue
        document.keys[*path, key] = place
        mapping[key] = _convert(document, value_node, (*path, key))
    return mapping


def _scalar(document: Document, node: Node, text: str, place: Location) -> Any:
    if node.tag in _TEXTS:
        return _cleaned(document, text, place)
    try:
        value = _CONSTRUCT[node.tag](yaml.ScalarNode(node.tag, text[:_LONGEST_NUMBER]))
    except (ValueError, LookupError):
        document.mistakes.append(_no_value(node, place))
        return None
    if isinstance(value, bool) or value is None:
        return value
    if len(text) > _LONGEST_NUMBER or not -_MAX_NUMBER <= value < _MAX_NUMBER:
        document.mistakes.append(
            Mistake(place, f"the number `{_short(text)}` is out of range", "quote it if it is text")
        )
        return None
    if str(value) != text:
        value = Whole(value) if isinstance(value, int) else Fraction(value)
        value.written = text
    return value


def _cleaned(document: Document, text: str, place: Location) -> str:
    """Return the text without NULs and lone surrogates, which are a mistake."""
    if text.isprintable():
        return text
    cleaned = text.replace("\0", "").encode(errors="ignore").decode()
    if cleaned != text:
        problem = "this text contains a NUL or half of a surrogate pair"
        document.mistakes.append(Mistake(place, problem, "remove it: no name, path or pattern can contain it"))
    return cleaned


def _no_value(node: Node, place: Location) -> Mistake:
    tag = node.tag.replace(_YAML, "!!")
    written = f"{tag} {_short(node.text)}" if node.text else tag
    return Mistake(place, f"`{written}` is not a plain value", "remove the tag, or quote the text")


def _short(text: str) -> str:
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
