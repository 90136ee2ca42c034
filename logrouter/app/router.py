"""Builds a router for a command: opens its ledger, destinations and rules, reloads the rules, and closes everything."""

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
from logrouter.router.commit import Committer
from logrouter.router.handoff import Handoff
from logrouter.router.ingress import RouterContext, RouterSettings
from logrouter.router.outlet import Outlet
from logrouter.router.router import route
from logrouter.rules.ruleset import RuleSet
from logrouter.support.aio import wait_for_any
from shippers.parse.severity.severity import severity

_IN_HAND = 6
"""Messages in flight use up to a sixth of the memory, counted as received: decompressed and decoded they take more."""


@dataclass(frozen=True, slots=True)
class RouterPlan:
    """What a router works with.

    rules: path of its rules.   archives: directory of archives that name none.
    memory: bytes that it tries to stay within.
    """

    rules: Path
    state: Path
    archives: Path
    instance: str
    memory: int


class Router:
    """An open router, which holds the lock of its ledger. A reload of the rules reopens it. Call `close` at the end.

    Raises StateError if the ledger cannot be used, UserError if the directory of an archive cannot be created.
    """

    def __init__(self, place: RouterPlan, rules: RuleSet) -> None:
        self._place = place
        self._rules = rules
        self._opened = ExitStack()
        self._routing = self._opened.enter_context(_open(place, rules))

    def close(self) -> None:
        """Close the ledger, and release its lock."""
        self._opened.close()

    async def run(self, broker: Broker, stop: asyncio.Event, drain: asyncio.Event, reload: asyncio.Event) -> None:
        """Route until `stop` is set or, once `drain` is set, until everything is routed. `reload` reloads the rules.

        Each record is decided once, by either the old or the new rules: messages in flight are settled in between.
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
        """Wait until all commits are settled, and report whether to go on: false if `stop` is set first.

        A stuck disk may delay a commit, and the reopened router must not write to the same archive at the same time.
        """
        settling = asyncio.create_task(self._routing.commits.settled())
        await wait_for_any(stop, _done(settling))
        settling.cancel()
        return not stop.is_set()

    async def _other_rules(
        self, work: asyncio.Task[None], stop: asyncio.Event, reload: asyncio.Event
    ) -> RuleSet | None:
        """Wait for a reload whose rules have no mistakes, and return them; return None if routing ends first."""
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
    """Return an event that is set when the task is done."""
    done = asyncio.Event()
    task.add_done_callback(lambda _: done.set())
    return done


@contextmanager
def _open(place: RouterPlan, rules: RuleSet) -> Iterator[RouterContext]:
    state, instance = place.state, place.instance
    ledger = Ledger(state, instance)
    try:
        try:
            inline = build_inline(rules.config, ledger, place.archives)
        except OSError as error:
            raise UserError(
                f"cannot create the archive directory {error.filename}: {error.strerror}",
                "give the archive a `dir` that this user can write to",
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
        commits = Committer(ledger, inline, instance)
        yield RouterContext(settings, ledger, commits, rules, severity, outlets, rules.config.hash)
    finally:
        ledger.close()
