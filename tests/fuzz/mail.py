"""A long run of a coverage-guided fuzzer over mail composed of what others have written. By hand, as CI has no time.

atheris (not among our dependencies: `pip install atheris`) makes up bytes. A digest is made of them, and a mail of the
digest, which must read by the letter of the RFCs as what the digest holds.

    PYTHONPATH=tests python tests/fuzz/mail.py -max_total_time=600 -len_control=0 -max_len=3000
"""

from __future__ import annotations

import sys
from email.parser import BytesParser
from email.policy import default
from zoneinfo import ZoneInfo

import atheris  # type: ignore[import-untyped,import-not-found,unused-ignore]  # not installed
import msgspec
from mail_text import read

with atheris.instrument_imports(include=["logrouter.destinations.email", "logrouter.support.terminal"]):
    from logrouter.destinations.email.composer import Composer, Letterhead
    from logrouter.destinations.notify.digest import Digest
    from logrouter.destinations.notify.pacing import Due, Withheld
    from logrouter.support.terminal import printable, printable_json
    from logrouter.wire.record import Record

HEADERS = [
    "From", "To", "Subject", "Date", "Message-ID", "Auto-Submitted", "List-Id", "MIME-Version", "Content-Type",
]  # fmt: skip
WORDS = ("=?utf-8?q?=E2=80=A8=85?=", "=?utf-8?q?0=0d=0aBcc:_v@example.org?=", "=?utf-8?b?", "?=", "\r\n", "\u2028")


def text_of(data: atheris.FuzzedDataProvider) -> str:
    """A text: of any characters, lone surrogates among them, and of what may be taken for something else."""
    pieces = [data.ConsumeUnicode(data.ConsumeIntInRange(0, 200))]
    while data.ConsumeBool() and len(pieces) < 9:
        pieces += [data.PickValueInList(list(WORDS)), data.ConsumeUnicode(data.ConsumeIntInRange(0, 40))]
    return "".join(pieces)


def record_of(data: atheris.FuzzedDataProvider) -> Record:
    """A record, each field of which is somebody's."""
    severity = data.PickValueInList(["error", "emerg", "debug", text_of(data)])
    ts = data.PickValueInList(["2026-11-22T10:00:00Z", "9999-12-31T23:59:59Z", text_of(data)])
    return Record(ts, text_of(data), text_of(data), severity, text_of(data), "s", 0, 1)


def one_input(content: bytes) -> None:
    """Compose a mail, and read it."""
    data = atheris.FuzzedDataProvider(content)
    router, instance = text_of(data), text_of(data)
    recipients = ("ops@example.org", "dev@example.org")
    head = Letterhead("mail", instance, router, "log@example.org", recipients, ZoneInfo("Asia/Tokyo"), 20)
    digest, withheld = Digest(opened=1795341600.0), Withheld(since=0.0)
    first = record_of(data)
    digest.add(text_of(data), text_of(data), [first, *(record_of(data) for _ in range(data.ConsumeIntInRange(0, 4)))])
    withheld.add(digest)
    due = data.PickValueInList([Due(digest, None, None), Due(None, withheld, 0.0), Due(digest, withheld, 0.0)])
    mail = Composer(head).compose(due, 0.0)
    seen = read(mail.content)
    assert list(seen.headers) == HEADERS
    assert BytesParser(policy=default).parsebytes(mail.content)["Subject"] == seen.subject
    for text in (seen.subject, seen.text, seen.html):
        assert text == printable(text, newlines=text is not seen.subject)
    assert printable(router) in seen.text
    if due.digest is not None and len(digest.groups) == 1 and len(first.host) <= 100:
        assert f"@{printable(first.host)}  " in seen.text
    value = [router, instance]
    if not any("\ud800" <= letter <= "\udfff" for text in value for letter in text):
        shown = printable_json(msgspec.json.encode(value).decode())
        assert msgspec.json.decode(shown) == value
        assert shown == printable(shown)


if __name__ == "__main__":
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()
