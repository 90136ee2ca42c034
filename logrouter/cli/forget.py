"""`logrouter audit --forget`: dismisses what is missing from sources, and prints it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from logrouter.cli.tui.summary import counted
from logrouter.errors import UserError
from logrouter.ledger import dismissal
from logrouter.ledger.dismissal import Dismissed
from logrouter.support.terminal import printable

_SHOWN = 20
"""Sources printed for each reporter, which may have 200,000."""


def dismiss(
    state: Path, instance: str, sources: Sequence[str], reporters: Sequence[str], write: Callable[[str], object]
) -> None:
    """Dismiss what is missing from these sources, and from all sources that these reporters state.

    Raises StateError, and UserError for a source or reporter that the ledger does not have.
    """
    with dismissal.opened(state, instance) as opened:
        for source in sources:
            dismissed = opened.forget(source)
            if dismissed is None:
                raise UserError(
                    f"the ledger has no source {source!r}", "`logrouter audit --json`, which lists all sources"
                )
            write(_described(dismissed))
        for reporter in reporters:
            count = 0
            for dismissed in opened.forget_reporter(reporter):
                count += 1
                if count <= _SHOWN:
                    write(_described(dismissed))
            if not count:
                raise UserError(
                    f"the ledger has no source of reporter {reporter!r}",
                    "`logrouter audit --json`, which lists all reporters",
                )
            write(printable(f"reporter {reporter}: {counted(count, 'source')} dismissed") + "\n")


def _described(dismissed: Dismissed) -> str:
    missing = f"{dismissed.missing} bytes and {dismissed.lines} lines that were not decided"
    return printable(f"source {dismissed.source}: dismissed {missing}") + "\n"
