"""A router's parts put together: ledger, destinations, rules; opened for a command and closed after it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from logrouter.destinations.building import build_inline, build_notifying
from logrouter.errors import UserError
from logrouter.ledger.ledger import Ledger
from logrouter.observe import events
from logrouter.router.commit import Commits
from logrouter.router.handoff import Handoff
from logrouter.router.notifying import Outlet
from logrouter.router.serving import RouterSettings, Routing
from logrouter.rules.ruleset import RuleSet
from shippers.parsing.severity import severity


def mail_directory(state: Path) -> Path:
    """Where mail is written to that no server is named for."""
    return state / "mail"


@contextmanager
def open_routing(rules: RuleSet, state: Path, archives: Path, instance: str) -> Iterator[Routing]:
    """A router's routing, with the ledger locked for as long as it is open.

    archives: directory of archives that name none. Raises StateError, UserError for a directory that cannot be made.
    """
    ledger = Ledger(state, instance)
    try:
        try:
            inline = build_inline(rules.config, ledger, archives)
        except OSError as error:
            raise UserError(
                f"cannot make the archive's directory {error.filename}: {error.strerror}",
                "give the archive a `dir` that this user may write to",
            ) from error
        outlets = tuple(
            Outlet(
                Handoff(instance, destination.name),
                destination,
                events.Condition(events.NOTIFYING_FAILING, events.NOTIFYING_RESUMED),
            )
            for destination in build_notifying(rules.config, instance, mail_directory(state))
        )
        commits = Commits(ledger, inline, instance)
        yield Routing(RouterSettings(instance), ledger, commits, rules, severity, outlets, rules.config.hash)
    finally:
        ledger.close()
