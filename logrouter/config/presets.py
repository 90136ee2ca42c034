"""Expand `preset: nginx` in an input to all settings of that preset. Keys of the input override those of the preset.

A file may have `presets` of its own. They add to the shipped ones, and replace those of the same name.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from logrouter.config.document import Document, KeyPath
from logrouter.config.mistakes import Mistake, did_you_mean

UNKNOWN = object()
"""Replaces an input whose preset cannot be expanded."""

Presets = Mapping[str, Mapping[str, Any]]


def presets_in(documents: Iterable[Document]) -> Presets:
    """Return all presets, later ones in place of earlier ones of the same name. Add mistakes to the documents."""
    found: dict[str, Mapping[str, Any]] = {}
    for document in documents:
        given = document.data.get("presets", {}) if isinstance(document.data, dict) else {}
        if not isinstance(given, dict):
            document.mistakes.append(
                Mistake(document.place(("presets",)), "`presets` must be a mapping of names to inputs")
            )
            continue
        for name, preset in given.items():
            if isinstance(preset, dict) and "preset" not in preset:
                found[name] = preset
            else:
                place = document.place(("presets", name))
                document.mistakes.append(
                    Mistake(place, f"preset `{name}` must be an input: a mapping of keys, without `preset`")
                )
    return found


def expanded(document: Document, entry: Any, at: KeyPath, presets: Presets) -> Any:
    """Return an input with its preset expanded; UNKNOWN, and add a mistake, if there is no such preset or no `files`.

    at: the path of the input in the document.
    """
    if not isinstance(entry, dict) or "preset" not in entry:
        return entry
    name, place = entry["preset"], document.place((*at, "preset"))
    if not isinstance(name, str) or name not in presets:
        document.mistakes.append(Mistake(place, f"there is no preset `{name}`", did_you_mean(str(name), presets)))
        return UNKNOWN
    whole = {**presets[name], **{key: value for key, value in entry.items() if key != "preset"}}
    if not {"files", "syslog", "journal"} & whole.keys():
        problem = f"preset `{name}` does not say where the files are"
        document.mistakes.append(Mistake(place, problem, "add `files` to the input, such as files: [/srv/app/*.log]"))
        return UNKNOWN
    return whole
