"""Templates and what they are to tell -> subject, text and HTML; and what went wrong, in a sentence.

As a program it renders templates of a user's own, within bounds that it sets itself. It reads the directories, the
mails to write and the bounds from standard input, as JSON, and writes the texts of each mail, or what is wrong, to
standard output. `bounded` starts it.
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
"""Of a mail's texts together; the shipped templates make some two millions of the oddest digest."""

Rendered = Mapping[str, str]
"""What each of the three templates gave."""


class Templates:
    """The templates in these directories; the first that has one of a name counts."""

    def __init__(self, *directories: Path) -> None:
        self._environment = ImmutableSandboxedEnvironment(
            loader=FileSystemLoader(directories),
            autoescape=lambda name: (name or "").endswith(".html"),
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )

    def render(self, mail: Mapping[str, Any]) -> Rendered:
        """The texts of a mail. Raises whatever a template comes to."""
        return {name: self._environment.get_template(name).render(mail=mail) for name in (SUBJECT, TEXT, HTML)}


def _problem(error: Exception) -> str:
    """What a template came to, and where that is known."""
    if isinstance(error, TemplateSyntaxError):
        return f"{error.filename}:{error.lineno}: {error.message}"
    if isinstance(error, TemplateNotFound):
        return f"there is no template {error.message}"
    if isinstance(error, MemoryError):
        return "a template takes too much memory"
    return f"a template cannot write a mail: {error or type(error).__name__}"


def _limit(kind: int, most: int) -> None:
    _, hard = resource.getrlimit(kind)
    resource.setrlimit(kind, (most if hard == resource.RLIM_INFINITY else min(most, hard), hard))


def rendered(directories: Sequence[str], mails: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The texts of each mail, or what is wrong."""
    try:
        templates = Templates(*map(Path, directories))
        texts = [templates.render(mail) for mail in mails]
    except Exception as error:  # noqa: BLE001  # a program of somebody else's, which raises whatever it comes to
        return {"problem": _problem(error)}
    if any(sum(map(len, each.values())) > MAX_CHARACTERS for each in texts):
        return {"problem": f"a template writes more than {MAX_CHARACTERS:,} characters"}
    return {"texts": texts}


def main() -> None:
    """Render what standard input names."""
    job = json.load(sys.stdin)
    _limit(resource.RLIMIT_CORE, 0)
    _limit(resource.RLIMIT_CPU, job["seconds"])
    _limit(resource.RLIMIT_AS, job["bytes"])
    json.dump(rendered(job["directories"], job["mails"]), sys.stdout)


if __name__ == "__main__":
    main()
