"""A router put together for a command: ledger, destinations and rules, opened, reloaded and closed.

In come a place and rules, out go records where the rules say, for as long as the command runs.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from logrouter.app.locations import mail_directory
from logrouter.app.rule_files import rule_set
from logrouter.broker.contract import Broker
from logrouter.config.mistakes import ConfigError
from logrouter.destinations.registry import build_inline, build_notifying
from logrouter.errors import UserError
from logrouter.ledger.ledger import Ledger
from logrouter.observability import events
from logrouter.observability.conditions import Condition
from logrouter.router.commit import Commits
from logrouter.router.handoff import Handoff
from logrouter.router.ingress import RouterSettings, Routing
from logrouter.router.outlet import Outlet
from logrouter.router.router import route
from logrouter.rules.ruleset import RuleSet
from logrouter.support.aio import wait_for_any
from shippers.parse.severity.severity import severity

_IN_HAND = 6
"""The part of a router's memory that messages in hand may take, as they come: unpacked and decoded they take more."""


@dataclass(frozen=True, slots=True)
class RouterPlan:
    """What a router works on.

    rules: where its rules are.   archives: directory of archives that name none.
    memory: bytes that it aims to stay within.
    """

    rules: Path
    state: Path
    archives: Path
    instance: str
    memory: int


class Router:
    """A router, open with its ledger locked; other rules open it anew. To be closed.

    Raises StateError, UserError for a directory that cannot be made.
    """

    def __init__(self, place: RouterPlan, rules: RuleSet) -> None:
        self._place = place
        self._rules = rules
        self._opened = ExitStack()
        self._routing = self._opened.enter_context(_open(place, rules))

    def close(self) -> None:
        """Release the ledger."""
        self._opened.close()

    async def run(self, broker: Broker, stop: asyncio.Event, drain: asyncio.Event, reload: asyncio.Event) -> None:
        """Route until `stop` is set, or all is routed once `drain` is; after each `reload` by what the rules are then.

        Each record is decided once, by the rules before or after: what is in hand is settled in between.
        """
        while True:
            leave = asyncio.Event()
            work = asyncio.create_task(route(broker, self._routing, leave, drain))
            try:
                rules = await self._other_rules(work, stop, reload)
            finally:
                leave.set()
                await asyncio.wait({work})
            work.result()
            if rules is None or not await self._settled(stop):
                return
            self._reopen(rules)

    async def _settled(self, stop: asyncio.Event) -> bool:
        """Wait for what a stuck disk has in hand, since no two may write to one archive; false if it is to stop."""
        settling = asyncio.create_task(self._routing.commits.settled())
        await wait_for_any(stop, _done(settling))
        settling.cancel()
        return not stop.is_set()

    async def _other_rules(
        self, work: asyncio.Task[None], stop: asyncio.Event, reload: asyncio.Event
    ) -> RuleSet | None:
        """The rules of the next reload that are without a mistake; None if it ends before that."""
        over = _done(work)
        while True:
            await wait_for_any(over, stop, reload)
            if over.is_set() or stop.is_set():
                return None
            reload.clear()
            try:
                return await asyncio.to_thread(rule_set, self._place.rules)
            except ConfigError as error:
                events.RELOAD_REFUSED.happened(reason=error.count)
                for mistake in error.mistakes:
                    events.RULES_MISTAKEN.happened(mistake=mistake.sentence)
            except (UserError, RecursionError) as error:
                events.RELOAD_REFUSED.happened(reason=error)

    def _reopen(self, rules: RuleSet) -> None:
        self._opened.close()
        try:
            self._routing = self._opened.enter_context(_open(self._place, rules))
        except (UserError, ValueError) as error:
            events.RELOAD_REFUSED.happened(reason=error)
            self._routing = self._opened.enter_context(_open(self._place, self._rules))
        else:
            self._rules = rules
            events.RELOADED.happened(count=len(rules.config.rules), path=self._place.rules)


def _done(task: asyncio.Task[None]) -> asyncio.Event:
    """Set when a task is."""
    done = asyncio.Event()
    task.add_done_callback(lambda _: done.set())
    return done


@contextmanager
def _open(place: RouterPlan, rules: RuleSet) -> Iterator[Routing]:
    state, instance = place.state, place.instance
    ledger = Ledger(state, instance)
    try:
        try:
            inline = build_inline(rules.config, ledger, place.archives)
        except OSError as error:
            raise UserError(
                f"cannot make the archive's directory {error.filename}: {error.strerror}",
                "give the archive a `dir` that this user may write to",
            ) from error
        outlets = tuple(
            Outlet(
                Handoff(instance, destination.name),
                destination,
                Condition(events.NOTIFYING_FAILING, events.NOTIFYING_RESUMED),
            )
            for destination in build_notifying(rules.config, instance, mail_directory(state))
        )
        settings = RouterSettings(instance, budget=place.memory // _IN_HAND)
        commits = Commits(ledger, inline, instance)
        yield Routing(settings, ledger, commits, rules, severity, outlets, rules.config.hash)
    finally:
        ledger.close()
