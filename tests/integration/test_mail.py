"""Error mail on both brokers and a real SMTP server: each mail arrives, whatever becomes of the server."""

from __future__ import annotations

import asyncio
import re
import sqlite3
import ssl
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager, closing
from pathlib import Path
from typing import Any

import msgspec
import pytest
from corpus import read_archive
from hypothesis import given, settings
from hypothesis import strategies as st
from mail_server import CUT, HANG, MailServer, Received, make_certificate
from mail_text import read
from needs import needs
from ports import free_port
from routers import running

from logrouter.broker import connect
from logrouter.broker.contract import EXCHANGE, Broker, Delivery, Session
from logrouter.config.rules import load_rules
from logrouter.destinations.contract import Notifying
from logrouter.destinations.email.email import Email
from logrouter.destinations.notify.digest import Digest
from logrouter.destinations.notify.pacing import Due, Memory, Pacing
from logrouter.destinations.registry import build_inline, build_notifying
from logrouter.ledger.ledger import Ledger, LedgerEntry
from logrouter.observability import events
from logrouter.observability.conditions import Condition
from logrouter.router import notify as gathering
from logrouter.router.commit import Committer
from logrouter.router.handoff import Handoff
from logrouter.router.ingress import RouterContext, RouterSettings
from logrouter.router.outlet import Outlet
from logrouter.rules.ruleset import RuleSet
from logrouter.support.terminal import printable
from logrouter.wire.batch import Part, to_message
from logrouter.wire.message import Message
from logrouter.wire.record import Record, encode_lines
from logrouter.wire.slices import from_part

SECRET = "s3cret"
RULES = """\
destinations:
  archive: {{type: archive}}
  mail: {{type: email, to: {to}, from: log@example.org, server: "{server}", group_wait: {group_wait}, {more}}}
rules:
  - {{name: errors, severity: error, to: mail, continue: true}}
"""


def part(from_: int, to: int, severity: str = "error", messages: Sequence[str] = (), **changes: Any) -> Part:
    """Lines [from_, to) of one source, ten bytes each."""
    fields = {"ts": "2026-11-22T10:00:00Z", "service": "app", "host": "h1", **changes}
    records = [
        Record(severity=severity, message=text, source="src", pos=10 * line, end=10 * line + 10, **fields)
        for line, text in zip(range(from_, to), messages or [f"line {n:05}" for n in range(from_, to)], strict=True)
    ]
    return Part(
        source="src", start=0, from_=10 * from_, to=10 * to, part=0, keys=(f"app.h1.{severity}",), service="app",
        host="h1", severity=severity, count=len(records), first=1795341600000, last=1795341600000,
        body=encode_lines(records),
    )  # fmt: skip


class Bench:
    """A router's surroundings; `routing` runs one on them, and runs may follow each other on the same state."""

    def __init__(self, broker: Broker, directory: Path, instance: str) -> None:
        self.broker = broker
        self.directory = directory
        self.handoff = Handoff(instance, "mail", retries=(0.2, 0.5))
        self.server = MailServer()

    @asynccontextmanager
    async def routing(
        self,
        address: str = "",
        *,
        more: str = "timeout: 1s",
        to: str = "ops@example.org",
        group_wait: str = "0s",
        drained: bool = True,
        open_ledger: Callable[[Path, str], Ledger] = Ledger,
    ) -> AsyncIterator[Session]:
        """A router that runs, and a session to publish on; at the end all is told, or the router just stopped."""
        path = self.directory / "rules.yaml"
        server = address or f"smtp://127.0.0.1:{self.server.port}"
        path.write_text(RULES.format(to=to, server=server, group_wait=group_wait, more=more))
        rules, instance = RuleSet(load_rules([path])), self.handoff.instance
        ledger = open_ledger(self.directory / "state", instance)
        commits = Committer(ledger, build_inline(rules.config, ledger, self.directory / "archive"))
        (mail,) = build_notifying(rules.config, instance, self.directory / "mails")
        outlet = Outlet(self.handoff, mail, Condition(events.NOTIFYING_FAILING, events.NOTIFYING_RESUMED))
        routing = RouterContext(
            RouterSettings(instance), ledger, commits, rules, lambda text: ("error", "guessed"), (outlet,)
        )
        async with asyncio.timeout(25), running(self.broker, routing, drained=drained) as session:
            yield session

    def archived(self) -> int:
        return len(read_archive(self.directory / "archive"))

    def memory(self) -> Memory:
        """What the destination remembers after a run."""
        ledger = Ledger(self.directory / "state", self.handoff.instance)
        try:
            return msgspec.json.decode(ledger.note("mail"), type=Memory)
        finally:
            ledger.close()


@pytest.fixture(autouse=True)
def _hasty(monkeypatch: pytest.MonkeyPatch) -> None:
    """The pause that saves transactions is shorter here; nothing else hangs on it."""
    monkeypatch.setattr(gathering, "_SETTLE_SECONDS", 0.05)


@pytest.fixture(params=["embedded", pytest.param("amqp", marks=pytest.mark.rabbitmq)])
async def bench(request: pytest.FixtureRequest, tmp_path: Path, fresh: Callable[[str], str]) -> AsyncIterator[Bench]:
    url = request.getfixturevalue("rabbitmq").url if request.param == "amqp" else "embedded"
    made = Bench(connect(url, tmp_path / "state"), tmp_path, fresh("main").replace(".", "-"))
    async with made.server.running():
        yield made
    async with made.broker.session() as session:
        for queue in (*(queue.name for queue in made.handoff.queues()), f"logrouter.{made.handoff.instance}"):
            await session.delete_queue(queue)


@pytest.fixture
def local(tmp_path: Path) -> Bench:
    """A bench on the embedded broker, for what has nothing to do with brokers; its server does not run yet."""
    return Bench(connect("embedded", tmp_path / "state"), tmp_path, "main")


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> tuple[ssl.SSLContext, Path]:
    """A server's TLS, and what a client has to trust for it."""
    needs("openssl")
    directory = tmp_path_factory.mktemp("certificate")
    return make_certificate(directory), directory / "certificate.pem"


async def send(session: Session, *parts: Part) -> None:
    async with asyncio.timeout(20):
        await asyncio.gather(*(session.publish(EXCHANGE, to_message(each)) for each in parts))


async def until(holds: Callable[[], bool]) -> None:
    async with asyncio.timeout(20):
        while not holds():
            await asyncio.sleep(0.01)


async def one_of(session: Session, queue: str) -> Delivery:
    """The first message in a queue, taken from it."""
    consumer = await session.consume(queue, prefetch=1)
    async with asyncio.timeout(20):
        delivery = await anext(aiter(consumer))
    await consumer.ack([delivery])
    await consumer.close()
    return delivery


def total(mails: Sequence[Received]) -> int:
    """The records that the mails are about."""
    found = [re.search(r"^(\d+) records?(?: at| between|\.)", mail.text, re.MULTILINE) for mail in mails]
    return sum(int(match[1]) for match in found if match)


async def test_a_matching_error_is_mailed_and_archived(bench: Bench) -> None:
    async with bench.routing() as session:
        await send(session, part(0, 3), part(3, 9, "info"))
        (mail,) = await bench.server.taken(1)
    assert (mail.sender, mail.recipients) == ("log@example.org", ("ops@example.org",))
    assert mail.message["Subject"] == "error app@h1: line 00000 (+2 more)"
    assert "Sent because of rule `errors`" in mail.text
    assert total(bench.server.mails) == 3
    assert bench.archived() == 9


async def test_a_451_is_tried_again_with_the_same_mail_while_the_archive_goes_on(bench: Bench) -> None:
    bench.server.answers["DATA"] += ["451 greylisted"] * 4
    failing, resumed = events.NOTIFYING_FAILING.count(), events.NOTIFYING_RESUMED.count()
    async with bench.routing() as session:
        await send(session, part(0, 3))
        await bench.server.until(lambda: len(bench.server.tried) >= 2)
        await send(session, part(3, 9, "info"))
        await until(lambda: bench.archived() == 9)
        assert not bench.server.mails
    assert len(bench.server.mails) == 1
    assert len(bench.server.tried) == 5
    assert len(set(bench.server.tried)) == 1
    assert (events.NOTIFYING_FAILING.count(), events.NOTIFYING_RESUMED.count()) == (failing + 1, resumed + 1)


@pytest.mark.parametrize("verb", ["RCPT", "MAIL", "DATA"])
async def test_a_550_lays_one_recipients_mail_among_the_dead_letters(bench: Bench, verb: str) -> None:
    refused = events.NOTIFICATION_REFUSED.count()
    if verb == "RCPT":
        bench.server.refused["gone@example.org"] = "550 no such\x1b[2J user"
    else:
        bench.server.answers[verb].append("550 no such\x1b[2J user")
    async with bench.routing(to="[gone@example.org, ops@example.org]") as session:
        await send(session, part(0, 3))
        dead = (await one_of(session, bench.handoff.dead)).message
        (mail,) = await bench.server.taken(1)
    assert mail.recipients == ("ops@example.org",)
    assert dead.headers["x-logrouter-recipient"] == "gone@example.org"
    assert dead.headers["x-logrouter-attempts"] == 1
    assert "550 no such\\x1b[2J user" in dead.headers["x-logrouter-reason"]
    assert dead.message_id == mail.message["Message-ID"]
    assert events.NOTIFICATION_REFUSED.count() == refused + 1


async def test_a_server_that_comes_later_gets_its_mail(bench: Bench) -> None:
    bench.server = MailServer(free_port())
    failing = events.NOTIFYING_FAILING.count()
    async with bench.routing() as session:
        await send(session, part(0, 3))
        await until(lambda: events.NOTIFYING_FAILING.count() > failing)
        await send(session, part(3, 9, "info"))
        await until(lambda: bench.archived() == 9)
        async with bench.server.running():
            assert total(await bench.server.taken(1)) == 3
    assert len(bench.server.mails) == 1


async def test_a_batch_that_comes_again_is_not_mailed_again(bench: Bench) -> None:
    handed_on = bench.handoff.message(from_part(part(0, 3)), "errors")
    async with bench.routing() as session:
        await send(session, part(0, 3))
        await bench.server.taken(1)
        await session.publish("", handed_on)
    async with bench.routing() as session:
        await session.publish("", handed_on)
        await session.publish("", handed_on)
    assert total(bench.server.mails) == 3
    assert len(bench.server.mails) == 1


async def test_records_that_come_again_in_other_batches_are_mailed_once(bench: Bench) -> None:
    """A shipper that was killed reads again, and cuts its windows elsewhere."""
    for start, end in ((0, 3), (1, 4), (0, 6)):
        async with bench.routing() as session:
            await session.publish("", bench.handoff.message(from_part(part(start, end)), "errors"))
    assert [total([mail]) for mail in bench.server.mails] == [3, 1, 2]


async def test_what_is_gathered_outlives_the_router_and_a_drain_tells_it_at_once(bench: Bench) -> None:
    """A router that stops in the middle of an hour's gathering, then one that drains."""
    for run in range(2):
        async with bench.routing(group_wait="1h", drained=False) as session:
            await send(session, part(3 * run, 3 * run + 3))
            while await session.depth(bench.handoff.records):
                await asyncio.sleep(0.01)
    assert not bench.server.tried
    async with bench.routing(group_wait="1h"):
        pass
    assert len(bench.server.mails) == 1
    assert total(bench.server.mails) == 6


async def test_a_burst_is_capped_and_its_counts_are_exact(local: Bench) -> None:
    async with local.server.running():
        async with local.routing(more="max_per_hour: 3") as session:
            for burst in range(5):
                start = 2000 * burst
                await send(session, *(part(start + n, start + n + 100) for n in range(0, 2000, 100)))
                if burst < 3:
                    await local.server.taken(burst + 1)
        assert "This mail reaches the limit of 3 mails per hour." in local.server.mails[-1].text
        withheld = local.memory().withheld
        assert withheld is not None
        assert len(local.server.mails) == 3
        assert total(local.server.mails) + withheld.total == 10_000
        assert local.archived() == 10_000


@pytest.mark.parametrize("how", [HANG, CUT])
async def test_a_server_that_falls_silent_after_data_gets_the_same_mail_again(local: Bench, how: str) -> None:
    local.server.answers["DATA"].append(how)
    async with local.server.running():
        async with local.routing(more="timeout: 200ms") as session:
            await send(session, part(0, 3))
        assert len(local.server.mails) == 2
        assert len({mail.content for mail in local.server.mails}) == 1


@pytest.mark.parametrize("verb", ["EHLO", "MAIL", "RCPT"])
async def test_a_server_that_falls_silent_earlier_gets_the_mail_once(local: Bench, verb: str) -> None:
    local.server.answers[verb] += [HANG, CUT, "421 closing"]
    async with local.server.running():
        async with local.routing(more="timeout: 200ms") as session:
            await send(session, part(0, 3))
        assert len(local.server.mails) == 1


@pytest.mark.parametrize("when", ["before", "after"])
async def test_a_ledger_that_fails_around_the_outbox_repeats_the_same_mail(local: Bench, when: str) -> None:
    """The transaction that notes the mail, or the one that notes that the outbox has it."""
    failures = [sqlite3.OperationalError("disk I/O error")]

    class Failing(Ledger):
        def commit(self, entry: LedgerEntry) -> None:
            if entry.outgoing and bool(entry.notes) == (when == "before") and failures:
                raise failures.pop()
            super().commit(entry)

    async with local.server.running():
        async with local.routing(open_ledger=Failing) as session:
            await send(session, part(0, 3))
        assert not failures
        assert 1 <= len(local.server.mails) <= 2
        assert len({mail.message["Message-ID"] for mail in local.server.mails}) == 1


@pytest.mark.parametrize("ts", ["garbage", "9999-12-31T23:59:59Z"])
async def test_what_is_odd_is_mailed_or_laid_aside_and_the_rest_goes_on(local: Bench, ts: str) -> None:
    """Case 54: line ends and a lone dot end neither a header nor the mail."""
    evil = "x\r\n.\r\nQUIT\r\nBcc: a@b\r\n\r\n<script>" + "y" * 100_000
    async with local.server.running():
        async with local.routing() as session:
            for broken in (local.handoff.records, local.handoff.outbox):
                await session.publish("", Message(key=broken, body=b"junk"))
            reasons = [(await one_of(session, local.handoff.dead)).message for _ in range(2)]
            await send(session, part(0, 1, messages=[evil], ts=ts))
        assert {message.headers["x-logrouter-key"] for message in reasons} == {
            local.handoff.records, local.handoff.outbox
        }  # fmt: skip
        assert all(message.headers["x-logrouter-reason"] for message in reasons)
        (mail,) = local.server.mails
        assert "\n            Bcc: a@b" in mail.text
        assert mail.message["Bcc"] is None
        assert local.archived() == 1


HOSTILE = st.lists(
    st.characters(codec="utf-8")
    | st.sampled_from("=?_ \t\r\n\0\x1b\x9b\u2028\u202e\ufeff")
    | st.sampled_from(["=?utf-8?q?=E2=80=A8=85?=", "=?utf-8?q?0=0d=0aBcc:_v@example.org?=", "=?utf-8?b?DQpCY2M6?="]),
    max_size=60,
).map("".join)


@pytest.fixture(scope="module")
def by_port(tmp_path_factory: pytest.TempPathFactory) -> tuple[int, Notifying]:
    """A destination, and the port of the server that it sends mail to."""
    port, path = free_port(), tmp_path_factory.mktemp("rules") / "rules.yaml"
    path.write_text(RULES.format(to="ops@example.org", server=f"smtp://127.0.0.1:{port}", group_wait="0s", more=""))
    (mail,) = build_notifying(load_rules([path]), "main", path.parent)
    return port, mail


@settings(deadline=None, max_examples=50)
@given(message=HOSTILE, service=HOSTILE, host=HOSTILE)
def test_any_text_comes_out_of_a_server_as_that_text(
    by_port: tuple[int, Notifying], message: str, service: str, host: str
) -> None:
    record = Record("2026-11-22T10:00:00Z", service, host, "error", message, "src", 0, 10)
    port, mail = by_port

    async def mailed() -> Received:
        server = MailServer(port)
        async with server.running():
            digest = Digest(0.0)
            digest.add("a", "errors", [record])
            for notification in mail.compose(msgspec.json.encode(Due(digest, None, None)), 0.0):
                await mail.deliver(notification)
        (received,) = server.mails
        return received

    received = asyncio.run(mailed())
    text = printable(message.replace("\r\n", "\n").rstrip("\n"), newlines=True)
    first = text.split("\n")[0] if text else "(empty line)"
    subject = f"error {printable(service)}@{printable(host)}: {first}"[:160].strip()
    assert read(received.content).subject == received.message["Subject"] == subject
    assert received.message.keys() == [
        "From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted", "List-Id", "MIME-Version", "Content-Type",
    ]  # fmt: skip
    assert all(line in received.text for line in text.split("\n"))


async def test_a_digest_that_cannot_be_composed_is_a_dead_letter_and_the_next_is_mailed(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    compose, aside = Email.compose, events.GATHERED_ASIDE.count()

    def failing(self: Email, digest: bytes, now: float) -> tuple[Message, ...]:
        if b"line 00000" in digest:
            raise ZeroDivisionError
        return compose(self, digest, now)

    monkeypatch.setattr(Email, "compose", failing)
    async with bench.routing() as session:
        await send(session, part(0, 3))
        dead = (await one_of(session, bench.handoff.dead)).message
        await send(session, part(3, 5))
        await bench.server.taken(1)
    assert total(bench.server.mails) == 2
    assert b'"total":3' in dead.body
    assert "ZeroDivisionError" in dead.headers["x-logrouter-reason"]
    assert events.GATHERED_ASIDE.count() == aside + 1
    assert bench.archived() == 5


async def test_a_gathering_that_fails_is_laid_aside_with_what_came_since_and_begins_anew(
    local: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    take, failures = Pacing.take, [RuntimeError("odd")]

    def failing(self: Pacing, now: float, *, at_once: bool) -> Due | None:
        if self.memory.open is not None and self.memory.open.total == 5 and failures:
            raise failures.pop()
        return take(self, now, at_once=at_once)

    async with local.server.running():
        async with local.routing(group_wait="1h", drained=False) as session:
            await send(session, part(0, 3))
            while await session.depth(local.handoff.records):
                await asyncio.sleep(0.01)
        monkeypatch.setattr(Pacing, "take", failing)
        async with local.routing(group_wait="1h") as session:
            await send(session, part(3, 5))
            bodies = [(await one_of(session, local.handoff.dead)).message.body for _ in range(2)]
            await send(session, part(5, 6))
        memory = msgspec.json.decode(bodies[0], type=Memory)
        assert memory.open is not None
        assert (memory.open.total, bodies[1].count(b"line 0000")) == (3, 2)
        assert total(local.server.mails) == 1


@pytest.mark.parametrize("content", ["junk", '{"open": {"opened": 1, "identity": "?"}}', "\x00", '"\\ud83d"'])
async def test_what_the_ledger_remembers_and_is_none_is_kept_beside(local: Bench, content: str) -> None:
    async with local.server.running():
        async with local.routing() as session:
            await send(session, part(0, 1))
        ledger = Ledger(local.directory / "state", "main")
        ledger.commit(LedgerEntry(notes={"mail": content}, outgoing={"mail": content.encode() + b"\xff"}))
        ledger.close()
        async with local.routing() as session:
            await send(session, part(1, 3))
            dead = [(await one_of(session, local.handoff.dead)).message for _ in range(2)]
        assert {message.body for message in dead} == {content.encode(), content.encode() + b"\xff"}
        assert {message.type for message in dead} == {"logrouter.gathered/1"}
        assert total(local.server.mails) == 3


async def test_a_memory_that_is_no_text_is_kept_beside(local: Bench) -> None:
    async with local.server.running():
        async with local.routing() as session:
            await send(session, part(0, 1))
        with closing(sqlite3.connect(local.directory / "state" / "main.ledger")) as database, database:
            database.execute("INSERT OR REPLACE INTO notes (destination, note) VALUES ('mail', CAST(x'7bff' AS TEXT))")
        async with local.routing() as session:
            await send(session, part(1, 3))
            dead = (await one_of(session, local.handoff.dead)).message
        assert dead.body == "{\ufffd".encode()
        assert total(local.server.mails) == 3


async def test_a_notification_whose_delivery_fails_oddly_is_a_dead_letter(
    local: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    deliver, failures = Email.deliver, [KeyError("odd\x1b")]

    async def failing(self: Email, notification: Message) -> None:
        if failures:
            raise failures.pop()
        await deliver(self, notification)

    monkeypatch.setattr(Email, "deliver", failing)
    async with local.server.running():
        async with local.routing() as session:
            await send(session, part(0, 3))
            dead = (await one_of(session, local.handoff.dead)).message
            await send(session, part(3, 4))
        assert "KeyError" in dead.headers["x-logrouter-reason"]
        assert total(local.server.mails) == 1


async def test_its_own_failures_are_not_mailed_by_the_destination_that_fails(local: Bench) -> None:
    own = "notification.failing: destination mail does not accept notifications (refused); retrying"
    async with local.server.running():
        async with local.routing() as session:
            await send(session, part(0, 1, messages=[own], app="logrouter"), part(1, 2, messages=["another"]))
        assert total(local.server.mails) == 1
        assert "another" in local.server.mails[0].text
        assert local.archived() == 2


@pytest.mark.parametrize(
    ("scheme", "more"),
    [
        ("smtp://", "require_tls: true"),
        ("smtp+starttls://", "timeout: 1s"),
        ("smtp://me@", "password_env: MAIL_PASSWORD"),
        ("smtps://", "timeout: 1s"),
    ],
)
async def test_without_the_tls_that_is_demanded_there_is_no_mail_and_no_password(
    local: Bench, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, scheme: str, more: str
) -> None:
    monkeypatch.setenv("MAIL_PASSWORD", SECRET)
    local.server.password = SECRET
    async with local.server.running(auth=True):
        await _fails(local, f"{scheme}127.0.0.1:{local.server.port}", more)
    assert not local.server.tried
    assert not local.server.logins
    assert f"127.0.0.1:{local.server.port}: " in caplog.text
    assert "destination mail does not accept notifications" in caplog.text
    if scheme != "smtps://":
        assert "STARTTLS extension not supported" in caplog.text
    assert SECRET not in caplog.text


@pytest.mark.parametrize("scheme", ["smtps", "smtp+starttls", "smtp"])
async def test_tls_with_a_login(
    local: Bench, certificate: tuple[ssl.SSLContext, Path], scheme: str, caplog: pytest.LogCaptureFixture
) -> None:
    context, trusted = certificate
    password = local.directory / "password"
    password.write_text(f"{SECRET}\n")
    local.server.password = SECRET
    tls: Any = {"tls" if scheme == "smtps" else "starttls": context}
    async with local.server.running(auth=True, **tls):
        address = f"{scheme}://me@127.0.0.1:{local.server.port}"
        more = f"ca_file: {trusted}, password_file: {password}"
        async with local.routing(address, more=more) as session:
            await send(session, part(0, 3))
        (mail,) = local.server.mails
        assert mail.tls
        assert set(local.server.logins) == {SECRET.encode()}
        password.write_text("wr0ng")
        local.server.logins.clear()
        await _fails(local, address, more, of=part(3, 6))
    assert len(local.server.mails) == 1
    assert "535" in caplog.text
    assert SECRET not in caplog.text
    assert "wr0ng" not in caplog.text


@pytest.mark.parametrize("scheme", ["smtps", "smtp+starttls"])
async def test_a_certificate_that_nobody_trusts_is_refused(
    local: Bench,
    certificate: tuple[ssl.SSLContext, Path],
    scheme: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    context, _ = certificate
    tls: Any = {"tls" if scheme == "smtps" else "starttls": context}
    async with local.server.running(**tls):
        await _fails(local, f"{scheme}://127.0.0.1:{local.server.port}", "timeout: 1s")
    assert not local.server.tried
    assert "certificate verify failed" in caplog.text


async def test_tls_that_is_offered_is_taken_even_where_nobody_demands_it(
    local: Bench, certificate: tuple[ssl.SSLContext, Path]
) -> None:
    async with local.server.running(starttls=certificate[0]):
        async with local.routing() as session:
            await send(session, part(0, 3))
        (mail,) = local.server.mails
        assert mail.tls


async def _fails(local: Bench, address: str, more: str, of: Part | None = None) -> None:
    """Route an error to a server that does not take it, until that is said; nothing is among the dead letters."""
    failing = events.NOTIFYING_FAILING.count()
    async with local.routing(address, more=more, drained=False) as session:
        await send(session, of or part(0, 3))
        await until(lambda: events.NOTIFYING_FAILING.count() > failing)
        assert await session.depth(local.handoff.dead) == 0
