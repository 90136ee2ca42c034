"""`audit --forget`: what a source lacks, dismissed by an operator, and said."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from logrouter.errors import UserError
from logrouter.ledger import dismissal as forgetting
from logrouter.ledger.dismissal import Dismissed
from logrouter.support.terminal import printable

_SHOWN = 20


def dismiss(
    state: Path, instance: str, sources: Sequence[str], reporters: Sequence[str], write: Callable[[str], object]
) -> None:
    """Dismiss what these sources lack, and all that these reporters state. Raises StateError, UserError."""
    with forgetting.opened(state, instance) as opened:
        for source in sources:
            dismissed = opened.forget(source)
            if dismissed is None:
                raise UserError(f"the ledger has no source {source!r}", "`logrouter audit --json` lists all")
            write(_said(dismissed))
        for reporter in reporters:
            count = 0
            for dismissed in opened.forget_reporter(reporter):
                count += 1
                if count <= _SHOWN:
                    write(_said(dismissed))
            if not count:
                raise UserError(
                    f"the ledger has no source of reporter {reporter!r}", "`logrouter audit --json` names them"
                )
            write(printable(f"reporter {reporter}: {count} sources") + "\n")


def _said(dismissed: Dismissed) -> str:
    lacks = f"{dismissed.missing} bytes and {dismissed.lines} lines that were not decided"
    return printable(f"source {dismissed.source}: dismissed, {lacks}") + "\n"
