"""Generates the log lines of the demo from random numbers and a time. Pure.

`lines_at` yields the lines of all services for one moment. Services do their work at a varying pace. Now and then one
of them has an error, and seldom a critical one.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from random import Random

TICK = 0.2
"""Length of one moment in seconds."""


@dataclass(frozen=True, slots=True)
class DemoLog:
    """A log file of a service on a host. severity: of lines that state none."""

    service: str
    host: str
    file: str
    severity: str = "info"


Line = tuple[DemoLog, str]
Scene = Callable[[Random, datetime], Sequence[Line]]

ACCESS = DemoLog("web", "web1", "access.log")
ERRORS = DemoLog("web", "web1", "error.log", "error")
MAIL = DemoLog("mail", "mx1", "mail.log")
AUTH = DemoLog("auth", "gate1", "auth.log", "notice")
DB = DemoLog("db", "db1", "postgresql.log")
SHOP = DemoLog("shop", "app1", "shop.json")
JOBS = DemoLog("jobs", "app2", "jobs.log")
CRON = DemoLog("cron", "app2", "cron.log")

LOGS = (ACCESS, ERRORS, MAIL, AUTH, DB, SHOP, JOBS, CRON)

_PEOPLE = ("anna", "boris", "chen", "dora", "emil", "farah", "goran", "hana")
_PATHS = ("/", "/cart", "/search?q=lamp", "/product/4711", "/product/1138", "/checkout", "/static/app.js", "/api/stock")
_AGENTS = ("Mozilla/5.0 (X11; Linux x86_64) Firefox/133.0", "Mozilla/5.0 (iPhone) Safari/605.1", "curl/8.5.0")


def lines_at(random: Random, at: datetime, seconds: float) -> Iterator[Line]:
    """Yield the lines of the moment `at`, which is `seconds` after the start of the demo."""
    pace = 1.0 + math.sin(seconds / 9.0) + (3.0 if seconds % 47 < 4 else 0.0)
    for scene, each_second in _USUAL:
        for _ in range(_times(random, each_second * pace * TICK)):
            yield from scene(random, at)
    for scene, each_second in _TROUBLE:
        for _ in range(_times(random, each_second * TICK)):
            yield from scene(random, at)


def _times(random: Random, mean: float) -> int:
    """Return a random number of occurrences whose average is `mean`."""
    whole = int(mean)
    return whole + (random.random() < mean - whole)


def _visit(random: Random, at: datetime) -> Sequence[Line]:
    status = random.choices((200, 304, 404, 302), (90, 12, 4, 3))[0]
    return [(ACCESS, _access(random, at, random.choice(_PATHS), status))]


def _outage(random: Random, at: datetime) -> Sequence[Line]:
    request = f"GET /checkout?basket={random.randrange(900)} HTTP/1.1"
    text = "upstream timed out (110: Connection timed out) while reading response header from upstream"
    return [
        (ACCESS, _access(random, at, "/checkout", 504)),
        (ERRORS, _nginx(random, at, "error", f'{text}, client: {_address(random)}, request: "{request}"')),
    ]


def _buffered(random: Random, at: datetime) -> Sequence[Line]:
    text = "an upstream response is buffered to a temporary file /var/cache/nginx/proxy_temp/7/00/0000000007"
    return [(ERRORS, _nginx(random, at, "warn", text))]


def _no_files(random: Random, at: datetime) -> Sequence[Line]:
    return [(ERRORS, _nginx(random, at, "crit", "accept4() failed (24: Too many open files)"))]


def _delivery(random: Random, at: datetime) -> Sequence[Line]:
    queue_id, person = _hex(random, 10), random.choice(_PEOPLE)
    result = (
        f"relay=mail.example.net[198.51.100.7]:25, delay={random.random():.2f}, dsn=2.0.0, status=sent (250 2.0.0 Ok)"
    )
    return [
        (MAIL, _syslog(random, at, MAIL, "postfix/qmgr", f"{queue_id}: from=<shop@example.org>, size=2874, nrcpt=1")),
        (MAIL, _syslog(random, at, MAIL, "postfix/smtp", f"{queue_id}: to=<{person}@example.net>, {result}")),
    ]


def _deferred(random: Random, at: datetime) -> Sequence[Line]:
    text = f"{_hex(random, 10)}: to=<{random.choice(_PEOPLE)}@example.com>, relay=none, dsn=4.4.1, status=deferred"
    reason = "connect to mx.example.com[203.0.113.25]:25: Connection timed out"
    return [
        (MAIL, _syslog(random, at, MAIL, "postfix/smtp", f"warning: {reason}")),
        (MAIL, _syslog(random, at, MAIL, "postfix/smtp", f"{text} ({reason})")),
    ]


def _mail_fails(random: Random, at: datetime) -> Sequence[Line]:
    text = "error: open database /etc/postfix/virtual.db: No such file or directory"
    return [(MAIL, _syslog(random, at, MAIL, "postfix/cleanup", text))]


def _login(random: Random, at: datetime) -> Sequence[Line]:
    text = f"Accepted publickey for {random.choice(_PEOPLE)} from 192.0.2.{random.randrange(9, 99)} port 50022 ssh2"
    return [(AUTH, _syslog(random, at, AUTH, "sshd", text))]


def _intruder(random: Random, at: datetime) -> Sequence[Line]:
    address, pid = _address(random), _process(random)
    names = random.sample(("admin", "root", "oracle", "test", "pi", "git", "ubuntu"), random.randint(3, 6))
    tries = [f"Failed password for invalid user {name} from {address} port {pid} ssh2" for name in names]
    end = f"error: maximum authentication attempts exceeded for invalid user {names[-1]} from {address} [preauth]"
    return [(AUTH, f"{at:%b %e %H:%M:%S} {AUTH.host} sshd[{pid}]: {text}") for text in (*tries, end)]


def _query(random: Random, at: datetime) -> Sequence[Line]:
    return [
        (DB, _postgres(_process(random), at, "LOG", f"checkpoint complete: wrote {random.randrange(20, 900)} buffers"))
    ]


def _slow_query(random: Random, at: datetime) -> Sequence[Line]:
    taken = random.uniform(1000, 9000)
    statement = "SELECT * FROM orders JOIN items USING (order_id) WHERE status = 'open' ORDER BY placed"
    return [(DB, _postgres(_process(random), at, "WARNING", f"duration: {taken:.3f} ms  statement: {statement}"))]


def _deadlock(random: Random, at: datetime) -> Sequence[Line]:
    first, second = random.sample(range(1000, 9000), 2)
    detail = f"Process {first} waits for ShareLock on transaction 52184; blocked by process {second}."
    return [
        (DB, _postgres(first, at, "ERROR", "deadlock detected")),
        (DB, _postgres(first, at, "DETAIL", detail)),
        (DB, _postgres(first, at, "STATEMENT", "UPDATE stock SET count = count - 1 WHERE item = 4711")),
    ]


def _db_full(random: Random, at: datetime) -> Sequence[Line]:
    text = "remaining connection slots are reserved for roles with the SUPERUSER attribute"
    return [(DB, _postgres(_process(random), at, "FATAL", text))]


def _order(random: Random, at: datetime) -> Sequence[Line]:
    order = random.randrange(10_000, 99_999)
    return [
        (SHOP, _json(at, "debug", "stock cache miss", item=random.choice((4711, 1138, 42)))),
        (SHOP, _json(at, "info", "order placed", order=order, total=round(random.uniform(5, 400), 2))),
    ]


def _shop_notice(random: Random, at: datetime) -> Sequence[Line]:
    return [(SHOP, _json(at, "notice", "price list reloaded", items=random.randrange(900, 1100)))]


def _card_refused(random: Random, at: datetime) -> Sequence[Line]:
    return [(SHOP, _json(at, "warning", "card refused", order=random.randrange(10_000, 99_999), attempt=2))]


def _payment_down(random: Random, at: datetime) -> Sequence[Line]:
    order = random.randrange(10_000, 99_999)
    return [(SHOP, _json(at, "error", "payment provider timed out", order=order, provider="pay.example.net", ms=30000))]


def _shop_critical(random: Random, at: datetime) -> Sequence[Line]:
    return [(SHOP, _json(at, "critical", "no payment provider answers; orders are held", held=random.randrange(3, 40)))]


def _job(random: Random, at: datetime) -> Sequence[Line]:
    number, taken = random.randrange(1000, 9999), random.random()
    return [
        (JOBS, f"{_log4j(at)} DEBUG jobs.queue: job {number} taken"),
        (JOBS, f"{_log4j(at)} INFO jobs.worker: job {number} thumbnail done in {taken:.2f} s"),
    ]


def _job_fails(random: Random, at: datetime) -> Sequence[Line]:
    text = f"""{_log4j(at)} ERROR jobs.worker: job {random.randrange(1000, 9999)} thumbnail failed
Traceback (most recent call last):
  File "/srv/jobs/worker.py", line 88, in run
    job.execute()
  File "/srv/jobs/thumbnail.py", line 31, in execute
    image = Image.open(self.path)
PIL.UnidentifiedImageError: cannot identify image file '/srv/uploads/{_hex(random, 6)}.png'"""
    return [(JOBS, line) for line in text.split("\n")]


def _cron(random: Random, at: datetime) -> Sequence[Line]:
    command = random.choice(
        ("/usr/local/bin/rotate-baskets", "/usr/local/bin/sync-prices --quiet", "run-parts /etc/cron.hourly")
    )
    return [(CRON, _syslog(random, at, CRON, "CRON", f"(root) CMD ({command})"))]


_USUAL: tuple[tuple[Scene, float], ...] = (
    (_visit, 7.0),
    (_delivery, 0.7),
    (_login, 0.2),
    (_query, 0.3),
    (_order, 1.2),
    (_job, 0.8),
    (_cron, 0.15),
)
"""Scenes, and the average number of times that each happens in a second. They follow the pace of the services."""

_TROUBLE: tuple[tuple[Scene, float], ...] = (
    (_buffered, 0.1),
    (_deferred, 0.12),
    (_slow_query, 0.15),
    (_card_refused, 0.2),
    (_shop_notice, 0.1),
    (_intruder, 0.05),
    (_outage, 0.12),
    (_mail_fails, 0.03),
    (_deadlock, 0.05),
    (_payment_down, 0.06),
    (_job_fails, 0.05),
    (_no_files, 0.01),
    (_db_full, 0.015),
    (_shop_critical, 0.015),
)
"""The same for trouble, which does not follow the pace."""


def _access(random: Random, at: datetime, path: str, status: int) -> str:
    agent, sent = random.choice(_AGENTS), random.randrange(300, 40_000)
    return f'{_address(random)} - - [{at:%d/%b/%Y:%H:%M:%S %z}] "GET {path} HTTP/1.1" {status} {sent} "-" "{agent}"'


def _nginx(random: Random, at: datetime, level: str, text: str) -> str:
    return f"{at:%Y/%m/%d %H:%M:%S} [{level}] 1177#1177: *{random.randrange(1, 90_000)} {text}"


def _syslog(random: Random, at: datetime, log: DemoLog, program: str, text: str) -> str:
    return f"{at:%b %e %H:%M:%S} {log.host} {program}[{_process(random)}]: {text}"


def _postgres(process: int, at: datetime, level: str, text: str) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S}.{at.microsecond // 1000:03} {at:%Z} [{process}] {level}:  {text}"


def _process(random: Random) -> int:
    return random.randrange(1000, 32000)


def _log4j(at: datetime) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S},{at.microsecond // 1000:03}"


def _json(at: datetime, level: str, message: str, **fields: object) -> str:
    moment = at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return json.dumps({"time": moment, "level": level, "msg": message, **fields})


def _address(random: Random) -> str:
    return f"203.0.113.{random.randrange(1, 255)}"


def _hex(random: Random, digits: int) -> str:
    return f"{random.getrandbits(4 * digits):0{digits}X}"
