"""Where records end: one file or folder for each kind. None knows of AMQP or of another."""

from __future__ import annotations

from pathlib import Path

from logrouter.config.destinations import ArchiveModel, DiscardModel
from logrouter.config.rules import RuleConfig
from logrouter.destinations.archive.archive import Archive, ArchiveSettings
from logrouter.destinations.contract import Inline
from logrouter.destinations.discard import Discard
from logrouter.ledger.ledger import Ledger


def build_inline(config: RuleConfig, ledger: Ledger, archive_directory: Path) -> dict[str, Inline]:
    """The inline destinations of a configuration by name.

    archive_directory: for archives that name none. Raises OSError when a directory cannot be made.
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
