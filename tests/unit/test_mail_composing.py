"""Mails: whatever a line says stays text within its place, and a user's templates can fail but not harm."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence
from email.message import EmailMessage
from email.parser import BytesParser
from email.policy import SMTP, default
from html.parser import HTMLParser
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from mail_text import read

from logrouter.destinations.email import renderer as rendering
from logrouter.destinations.email import sandbox as bounded
from logrouter.destinations.email.composer import Composer, Letterhead, Mail
from logrouter.destinations.email.email import Email
from logrouter.destinations.email.template_check import template_problem
from logrouter.destinations.notify.digest import Digest
from logrouter.destinations.notify.pacing import Due, Withheld
from logrouter.observability import events
from logrouter.observability.events import Event
from logrouter.support.terminal import printable
from logrouter.wire.record import Record
from logrouter.wire.routing_key import SEVERITIES

HEADERS = [
    "From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted", "List-Id", "MIME-Version", "Content-Type",
]  # fmt: skip
EVIL = "\r\nBcc: victim@example.org\r\n\r\n<script>alert(1)</script>\r\n.\r\nQUIT\r\n{{ 7 * 7 }}{% raw %}"


def head(templates: Path | None = None, zone: str = "UTC") -> Letterhead:
    return Letterhead(
        destination="mail", instance="main", router="box", sender="log@example.org", zone=ZoneInfo(zone), per_hour=20,
        recipients=("ops@example.org", "dev@example.org"), templates=templates,
    )  # fmt: skip


COMPOSER = Composer(head())


def record(
    message: str = "timed out",
    *,
    ts: str = "2026-11-22T10:00:00Z",
    service: str = "mail",
    host: str = "mx1",
    severity: str = "error",
    app: str | None = None,
) -> Record:
    return Record(
        ts=ts, service=service, host=host, severity=severity, message=message, app=app, source="s", pos=0, end=1
    )


def digest(*records: Record, rule: str = "errors", identity: str = "a") -> Digest:
    made = Digest(opened=1795341600.0)
    made.add(identity, rule, records)
    return made


def composed(*records: Record, rule: str = "errors", composer: Composer | None = None) -> Mail:
    return (composer or COMPOSER).compose(Due(digest(*records, rule=rule), None, None), 0.0)


def parsed(mail: Mail) -> EmailMessage:
    message = BytesParser(policy=default).parsebytes(mail.content)
    assert isinstance(message, EmailMessage)
    return message


def body(mail: Mail, kind: str) -> str:
    (part,) = (part for part in parsed(mail).iter_parts() if part.get_content_type() == kind)
    assert isinstance(part, EmailMessage)
    return str(part.get_content()).replace("\r\n", "\n")


class _Html(HTMLParser):
    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.text = ""
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: Sequence[tuple[str, str | None]]) -> None:
        self.tags.append(tag)

    def handle_data(self, data: str) -> None:
        self.text += data


def assert_harmless(mail: Mail, like: Mail) -> None:
    """It has the structure of a mail that holds nothing odd."""
    message, benign, seen = parsed(mail), parsed(like), read(mail.content)
    assert message.keys() == HEADERS == list(seen.headers)
    assert not message.defects
    for name in HEADERS:
        assert name in ("Subject", "Message-ID", "Content-Type") or message[name] == benign[name]
    assert [part.get_content_type() for part in message.walk()] == [
        "multipart/alternative", "text/plain", "text/html",
    ]  # fmt: skip
    assert not any(part.defects for part in message.walk())
    assert message["Subject"] == seen.subject
    assert (seen.text, seen.html) == (body(mail, "text/plain"), body(mail, "text/html"))
    assert _Html(seen.html).tags == _Html(body(like, "text/html")).tags
    for text in (seen.subject, seen.text, seen.html):
        assert text == printable(text, newlines=text is not seen.subject)


@pytest.mark.parametrize(
    "text",
    [
        EVIL,
        ".",
        "..\r\n.\r\n",
        "From x\n.\nFrom y",
        "\x1b[2J\x07\x00\x9b31m\x85\u2028\u2029",
        "\u202etxt.exe\u2066\u2069\u200f\u061c",
        "\ud800lone\udfff",
        "x" * 1_000_000,
        "\N{PILE OF POO}" * 300_000,
        "&amp;<!-- --></td></table></body></html>",
        "=?utf-8?q?hello?=",
        "=?utf-8?q?=E2=80=A8=85?=",
        "x =?utf-8?q?=0d=0aBcc:_v@example.org?=",
        "=?utf-8?q?=3D=3Futf-8=3Fq=3F=3D0d=3D0aBcc:v=3F=3D?=",
        "=?utf-8?b?DQpCY2M6IHZAZXhhbXBsZS5vcmc=?= =?iso-8859-1?q?a?=x=?",
        "=?" * 60,
        "\0\ufeff\u200b\U000e0041\xad",
        "{{ mail.__class__.__mro__ }}{% for x in range(10**9) %}{% endfor %}",
        "",
        "\n\n\n",
        "-- \nlogrouter",
    ],
)
def test_odd_lines_stay_text(text: str) -> None:
    """Case 54: in the mail; tests/integration/test_mail.py sends one of them to a server."""
    evil = composed(record(text))
    assert_harmless(evil, like=composed(record("timed out")))


@settings(deadline=None)
@given(text=st.text(st.characters() | st.sampled_from("\r\n.<>&\x1b\ud800\u202e{}%=? _"), min_size=1))
def test_any_text_in_any_place_stays_text(text: str) -> None:
    fields = {"service": text, "host": text, "severity": text, "ts": text}
    evil = composed(record(text, **fields), rule=text)
    assert_harmless(evil, like=composed(record("timed out", severity="unknown", ts="")))
    told = printable(text.replace("\r\n", "\n").rstrip("\n"), newlines=True)
    first = told.partition("\n")[0] if told else "(empty line)"
    expected = f"{printable(text)} {printable(text)}@{printable(text)}: {first}"
    assert read(evil.content).subject == expected.strip()[:160].strip()
    assume(text not in SEVERITIES)
    assert "cat --severity" not in body(evil, "text/plain")


def test_what_is_told_is_told_in_both_forms_and_escaped() -> None:
    mail = composed(record(EVIL), record("two\nlines"), record("two\nlines"))
    text, html = body(mail, "text/plain"), body(mail, "text/html")
    assert "{{ 7 * 7 }}" in text
    assert "Bcc: victim@example.org" in text
    assert "&lt;script&gt;" in html
    assert _Html(html).text.count("<script>alert(1)</script>") == 1
    assert "two\n            lines   [2 times, last 10:00:00]" in text
    assert "(+2 more)" in str(parsed(mail)["Subject"])


def test_times_of_another_day_have_their_date() -> None:
    due = Due(digest(record(), record("older", ts="2026-11-20T09:00:00Z")), None, None)
    text = body(Composer(head()).compose(due, 0.0), "text/plain")
    assert "2 records between 2026-11-20 09:00:00 and 10:00:00 (UTC)." in text


def test_times_are_in_the_zone_and_the_command_in_utc() -> None:
    due = Due(digest(record(), record("later", ts="2026-11-22T10:00:07.25Z")), None, None)
    text = body(Composer(head(zone="Europe/Berlin")).compose(due, 0.0), "text/plain")
    assert "2 records between 11:00:00 and 11:00:07 (Europe/Berlin)." in text
    assert "logrouter cat --severity error --since 2026-11-22T10:00:00Z\n" in text


@pytest.mark.parametrize("name", ["日本", "=?utf-8?q?0=0d=0a?=", "\udcff\n\x1b", "x" * 500, "h1.example.org"])
def test_names_of_machines_and_instances_go_through(name: str) -> None:
    composer = Composer(dataclasses.replace(head(), router=name, instance=name, sender=f"a@{'x.' * 100}org"))
    mail = composed(record(), composer=composer)
    seen = read(mail.content)
    assert f"instance {printable(name)} on {printable(name)}\n" in seen.text
    assert re.fullmatch(r"<mail\.[A-Za-z0-9.%_-]+\.logrouter>", seen.headers["List-Id"])
    assert len(seen.headers["List-Id"]) <= 257
    assert len(mail.message_id) <= 255, "as long as the broker takes it"


def test_a_summary_counts_what_was_withheld() -> None:
    withheld = Withheld(since=0.0)
    withheld.add(digest(*[record(host="<b>")] * 7, *[record(service="web")] * 5))
    mail = Composer(head()).compose(Due(None, withheld, 3600.0), 0.0)
    assert parsed(mail)["Subject"] == "12 records counted and not mailed"
    for kind in ("text/plain", "text/html"):
        shown_text = _Html(body(mail, kind)).text if kind == "text/html" else body(mail, kind)
        assert "error mail@<b>" in shown_text
        assert "error web@mx1" in shown_text
        assert "until 01:00:00" in shown_text


def test_equal_digests_have_equal_ids_and_others_do_not() -> None:
    composer = Composer(head())
    one, two = digest(record()), digest(record())
    two.add("b", "errors", [record("x")])
    ids = [
        composer.compose(Due(each, None, None), now).message_id for each, now in ((one, 0.0), (one, 9.0), (two, 0.0))
    ]
    assert ids[0] == ids[1] != ids[2]
    assert ids[0] == parsed(composer.compose(Due(one, None, None), 0.0))["Message-ID"]
    assert ids[0].endswith("@example.org>")


FAILING = [
    "{{ mail.nothing }}",
    "{{ 1 / 0 }}",
    "{% include 'absent.txt' %}",
    "{{ mail.total | dictsort }}",
    "{{ mail.__class__ }}",
    "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "{{ mail.groups.append.__globals__ }}",
    "{{ mail.groups.append(1) }}",
    "{{ mail.update(total=0) }}",
    "{{ ('{0.__class__}').format(mail) }}",
    "{{ range(10000000) | list }}",
    "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}",
    "{{ 'x'.encode('no such codec') }}",
    "{% include '../../../../../../etc/passwd' %}",
]


@pytest.mark.parametrize("template", FAILING)
def test_what_templates_do_that_they_may_not_is_a_problem(tmp_path: Path, template: str) -> None:
    mail = {"groups": [], "total": 1}
    for name in ("subject.txt", "text.txt", "mail.html"):
        for each in ("subject.txt", "text.txt", "mail.html"):
            (tmp_path / each).write_text(template if each == name else "")
        answer = rendering.rendered([str(tmp_path)], [mail])
        assert list(answer) == ["problem"]


@pytest.mark.parametrize("name", ["subject.txt", "text.txt", "mail.html"])
def test_templates_that_fail_give_way_to_the_shipped_ones(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("{{ mail.nothing }}")
    before = events.TEMPLATE_FAILED.count()
    assert composed(record(), composer=Composer(head(tmp_path))) == composed(record())
    assert events.TEMPLATE_FAILED.count() == before + 1
    assert "nothing" in str(template_problem(head(tmp_path)))


@pytest.mark.parametrize(
    ("template", "says"),
    [
        ("{% for i in range(99999) %}{% for j in range(99999) %}{% endfor %}{% endfor %}", "1 s of processor time"),
        ("{{ 9999999 ** 9999999 % 7 }}", "1 s of processor time"),
        ("{{ 'x' * 10**10 }}", "too much memory"),
        ("{% for i in range(9999) %}{{ 'x' * 9999 }}{% endfor %}", "more than 4,000,000 characters"),
    ],
)
def test_templates_that_never_end_or_fill_the_memory_give_way_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, template: str, says: str
) -> None:
    monkeypatch.setattr(bounded, "_SECONDS", 1)
    (tmp_path / "text.txt").write_text(template)
    assert composed(record(), composer=Composer(head(tmp_path))) == composed(record())
    assert says in caplog.text


def test_a_template_that_fails_only_on_some_mail_spares_the_others(tmp_path: Path) -> None:
    (tmp_path / "subject.txt").write_text("{{ 6 / (mail.total - 2) }}")
    composer = Composer(head(tmp_path))
    assert template_problem(head(tmp_path)) is None
    assert str(parsed(composed(record(), composer=composer))["Subject"]) == "-6.0"
    assert (
        str(parsed(composed(record(), record(), composer=composer))["Subject"]) == "error mail@mx1: timed out (+1 more)"
    )


def test_templates_of_a_users_own_are_used_and_as_safe(tmp_path: Path) -> None:
    (tmp_path / "subject.txt").write_text("{{ mail.groups[0].messages[0].text }}\nX-Evil: 1")
    (tmp_path / "mail.html").write_text("{% include 'part.html' %}")
    (tmp_path / "part.html").write_text("<p>{{ mail.groups[0].messages[0].text }}</p>")
    mail = composed(record("<b>\r\nBcc: a@b"), composer=Composer(head(tmp_path)))
    assert parsed(mail).keys() == HEADERS
    assert parsed(mail)["Subject"] == "<b> Bcc: a@b X-Evil: 1".replace("> ", ">\\x0a").replace("b X", "b\\x0aX")
    assert body(mail, "text/html") == "<p>&lt;b&gt;\nBcc: a@b</p>\n"
    assert "timed out" not in body(mail, "text/plain")


@pytest.mark.parametrize(
    ("name", "template", "says"),
    [
        ("text.txt", "a\n{% if %}", "text.txt:2: "),
        ("mail.html", "{{ mail.totl }}", "totl"),
        ("subject.txt", "{% include 'absent' %}", "absent"),
        ("other.txt", "", "none of subject.txt"),
        ("subject.txt", "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", "recursion"),
    ],
)
def test_what_is_wrong_with_a_template_is_said(tmp_path: Path, name: str, template: str, says: str) -> None:
    (tmp_path / name).write_text(template)
    assert says in str(template_problem(head(tmp_path)))


def test_the_shipped_templates_have_no_problem() -> None:
    assert template_problem(head()) is None


async def never(*_: object) -> None:
    raise AssertionError


@pytest.mark.parametrize(
    "event",
    [events.NOTIFYING_FAILING, events.NOTIFICATION_REFUSED, events.TEMPLATE_FAILED, events.GATHERED_ASIDE],
)
def test_what_is_said_of_a_destination_is_not_told_by_it(event: Event) -> None:
    def told(destination: str, app: str | None) -> bool:
        line = event.sentence.format(destination=destination, reason="destination other x", queue="q")
        mailing = Email(head(), never, group_wait=0.0).resume("")
        mailing.add("a", "errors", [record(f"ERROR {event.name}: {line}", app=app)], 0.0)
        return bool(mailing.take(0.0).digest)

    assert not told("mail", "logrouter")
    assert told("mail2", "logrouter")
    assert told("mail-2", "logrouter")
    assert told("mail", "postfix")


def test_notifications_are_one_for_each_recipient_and_survive_a_restart() -> None:
    email = Email(head(), never, group_wait=5.0)
    first = email.resume("")
    first.add("a", "errors", [record("x" * 3000 + EVIL)], 100.0)
    early = first.take(101.0)
    assert (early.digest, early.due) == (b"", 105.0)
    taken = email.resume(early.note).take(105.0)
    sent = email.compose(taken.digest, 105.0)
    assert sent == email.compose(taken.digest, 105.0), "to the byte"
    assert [message.headers for message in sent] == [
        {"x-logrouter-recipient": recipient} for recipient in ("ops@example.org", "dev@example.org")
    ]
    assert len({(message.body, message.message_id) for message in sent}) == 1
    assert BytesParser(policy=SMTP).parsebytes(sent[0].body)["To"] == "ops@example.org, dev@example.org"
    assert not email.resume(taken.note).take(1000.0).digest
