"""Renders the subject, text and HTML of mails by templates.

As a program, it renders a user's own templates, within limits that it sets for itself. It reads the directories, the
mails to render and the limits from standard input, as JSON, and writes the texts of each mail, or what is wrong, to
standard output. `sandbox.render` runs it.
"""

from __future__ import annotations

import json
import resource
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from jinja2 import FileSystemLoader, StrictUndefined, TemplateNotFound, TemplateSyntaxError
from jinja2.sandbox import ImmutableSandboxedEnvironment

SHIPPED = Path(__file__).parent / "templates"
SUBJECT, TEXT, HTML = "subject.txt", "text.txt", "mail.html"

MAX_CHARACTERS = 4_000_000
"""The most characters of a mail's three texts together. The shipped templates write about two million at worst."""

Rendered = Mapping[str, str]
"""The text that each of the three templates rendered, by the template's name."""


class Templates:
    """The templates in these directories. A template is taken from the first directory that has one of its name."""

    def __init__(self, *directories: Path) -> None:
        self._environment = ImmutableSandboxedEnvironment(
            loader=FileSystemLoader(directories),
            autoescape=lambda name: (name or "").endswith(".html"),
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )

    def render(self, mail: Mapping[str, Any]) -> Rendered:
        """Return the texts of a mail. Raises any exception that a template can cause."""
        return {name: self._environment.get_template(name).render(mail=mail) for name in (SUBJECT, TEXT, HTML)}


def _problem(error: Exception) -> str:
    """Describe an exception of a template, with its line if that is known."""
    if isinstance(error, TemplateSyntaxError):
        return f"{error.filename}:{error.lineno}: {error.message}"
    if isinstance(error, TemplateNotFound):
        return f"there is no template {error.message}"
    if isinstance(error, MemoryError):
        return "a template uses too much memory"
    return f"a template cannot be rendered: {error or type(error).__name__}"


def _limit(kind: int, most: int) -> None:
    _, hard = resource.getrlimit(kind)
    resource.setrlimit(kind, (most if hard == resource.RLIM_INFINITY else min(most, hard), hard))


def rendered(directories: Sequence[str], mails: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the texts of each mail as {"texts": [...]}, or what is wrong as {"problem": "..."}."""
    try:
        templates = Templates(*map(Path, directories))
        texts = [templates.render(mail) for mail in mails]
    except Exception as error:  # noqa: BLE001  # a user's template can raise anything
        return {"problem": _problem(error)}
    if any(sum(map(len, each.values())) > MAX_CHARACTERS for each in texts):
        return {"problem": f"a template writes more than {MAX_CHARACTERS:,} characters"}
    return {"texts": texts}


def main() -> None:
    """Render the job on standard input."""
    job = json.load(sys.stdin)
    _limit(resource.RLIMIT_CORE, 0)
    _limit(resource.RLIMIT_CPU, job["seconds"])
    _limit(resource.RLIMIT_AS, job["bytes"])
    json.dump(rendered(job["directories"], job["mails"]), sys.stdout)


if __name__ == "__main__":
    main()
