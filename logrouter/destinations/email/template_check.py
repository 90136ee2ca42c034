"""Tries a user's own templates on sample mails, so that mistakes are found before anything starts."""

from __future__ import annotations

from logrouter.destinations.email.composer import Composer, Letterhead
from logrouter.destinations.email.renderer import HTML, SUBJECT, TEXT
from logrouter.destinations.email.sandbox import TemplateError
from logrouter.destinations.notify.digest import Digest
from logrouter.destinations.notify.pacing import Due, Withheld
from logrouter.wire.record import Record

_RECORD = Record(
    ts="2026-01-01T00:00:00Z", service="mail", host="mx1", severity="error", message="timed out",
    source="-", pos=0, end=10,
)  # fmt: skip


def template_problem(letterhead: Letterhead) -> str | None:
    """Return what is wrong with the templates and where, as one clause, or None."""
    directory = letterhead.templates
    if directory is not None and not any((directory / name).is_file() for name in (SUBJECT, TEXT, HTML)):
        return f"{directory} has none of {SUBJECT}, {TEXT} and {HTML}"
    digest = Digest(opened=0.0)
    digest.add("sample", "sample", [_RECORD])
    withheld = Withheld(since=0.0)
    withheld.add(digest)
    try:
        composer = Composer(letterhead)
        composer.check(Due(digest, None, None), Due(None, withheld, None), Due(digest, withheld, 0.0))
    except TemplateError as error:
        return str(error)
    return None
