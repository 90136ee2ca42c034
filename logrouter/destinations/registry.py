"""Builds the destinations of a configuration.

The modules for mail are imported only for a destination that needs them, because they take a tenth of a start.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from logrouter.config.destinations import ArchiveModel, DiscardModel
from logrouter.config.email import EmailModel
from logrouter.config.mistakes import Mistake
from logrouter.config.rules import RuleConfig
from logrouter.destinations.archive.archive import Archive, ArchiveSettings
from logrouter.destinations.contract import Inline, Notifying
from logrouter.destinations.discard import Discard
from logrouter.ledger.ledger import Ledger


def build_inline(config: RuleConfig, ledger: Ledger, archive_directory: Path) -> dict[str, Inline]:
    """Return the inline destinations of a configuration by name.

    archive_directory: the directory of archives that name none. Raises OSError if a directory cannot be created.
    """
    built: dict[str, Inline] = {}
    for name, model in config.destinations.items():
        match model:
            case ArchiveModel():
                settings = ArchiveSettings(
                    directory=Path(model.dir) if model.dir else archive_directory,
                    template=model.path,
                    text=model.format == "text",
                    zone=config.timezone,
                    rotate_size=model.rotate,
                    keep_days=int(model.keep // 86400) if model.keep else None,
                )
                built[name] = Archive(name, settings, ledger)
            case DiscardModel():
                built[name] = Discard()
    return built


def build_notifying(config: RuleConfig, instance: str, mail_directory: Path) -> list[Notifying]:
    """Return the notifying destinations of a configuration.

    mail_directory: the directory of a `file:` server that names none. Raises UserError if a password or certificate
    cannot be read.
    """
    built: list[Notifying] = []
    for name, model in config.destinations.items():
        if isinstance(model, EmailModel):
            from logrouter.destinations.email.factory import build_email  # noqa: PLC0415  # see above

            built.append(build_email(name, model, config.timezone, instance, mail_directory))
    return built


def mistakes(config: RuleConfig) -> Iterator[Mistake]:
    """Yield the mistakes that only a trial run can find: those in mail templates."""
    for name, model in config.destinations.items():
        if not isinstance(model, EmailModel) or not model.templates:
            continue
        from logrouter.destinations.email.factory import templates_problem  # noqa: PLC0415  # see above

        if problem := templates_problem(name, model, config.timezone):
            remedy = "see docs/rules.md for what templates can use"
            yield Mistake(config.places[name], f"destination `{name}`: {problem}", remedy)
