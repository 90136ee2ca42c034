"""`preset: nginx` in an input -> all that is known of nginx' logs, overridden by what is written beside it.

In come documents (those that came with the program first), out come inputs as plain data. A file may have `presets` of
its own: they add to the others, and take the place of those of the same name.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from logrouter.config.document import Document, Path_
from logrouter.config.mistakes import Mistake, did_you_mean

UNKNOWN = object()
"""In place of an input that cannot be read, since its preset is not known."""

Presets = Mapping[str, Mapping[str, Any]]


def presets_in(documents: Iterable[Document]) -> Presets:
    """All presets; what is no mapping of names to inputs is a mistake."""
    found: dict[str, Mapping[str, Any]] = {}
    for document in documents:
        given = document.data.get("presets", {}) if isinstance(document.data, dict) else {}
        if not isinstance(given, dict):
            document.mistakes.append(Mistake(document.place(("presets",)), "`presets` is a mapping of names to inputs"))
            continue
        for name, preset in given.items():
            if isinstance(preset, dict) and "preset" not in preset:
                found[name] = preset
            else:
                place = document.place(("presets", name))
                document.mistakes.append(Mistake(place, f"preset `{name}` should be an input: a mapping of its keys"))
    return found


def expanded(document: Document, entry: Any, at: Path_, presets: Presets) -> Any:
    """An input with its preset put in; UNKNOWN, with a mistake added, if there is none or it names no files."""
    if not isinstance(entry, dict) or "preset" not in entry:
        return entry
    name, place = entry["preset"], document.place((*at, "preset"))
    if not isinstance(name, str) or name not in presets:
        document.mistakes.append(Mistake(place, f"`{name}` is no preset", did_you_mean(str(name), presets)))
        return UNKNOWN
    whole = {**presets[name], **{key: value for key, value in entry.items() if key != "preset"}}
    if "files" not in whole and "syslog" not in whole:
        problem = f"preset `{name}` does not know where the files are"
        document.mistakes.append(Mistake(place, problem, "write `files` beside it, such as  files: [/srv/app/*.log]"))
        return UNKNOWN
    return whole
