"""Tables from the names and numbers that programs give their levels to severities."""

from __future__ import annotations

from logrouter.wire.routing_key import SEVERITIES

_NAMES = {
    "emerg": "emerg emergency panic",
    "alert": "alert",
    "crit": "crit critical fatal",
    "error": "err error severe",
    "warning": "warn warning",
    "notice": "notice",
    "info": "info information informational",
    "debug": "debug trace verbose trivia fine finer finest",
}
_SHORT = {
    "emerg": "pani pnc",
    "crit": "fata ftl dpanic",
    "error": "erro eror fail",
    "warning": "wrn",
    "info": "inf",
    "debug": "debu dbg dbug trac trce trc vrb",
}


def _each(table: dict[str, str]) -> dict[str, str]:
    return {name: severity for severity, names in table.items() for name in names.split()}


NAMES = _each(_NAMES)
"""By lowercase name. These are whole words that people write too."""

SHORT = _each(_SHORT)
"""Short names of logrus, zerolog, Serilog and .NET. They are levels only in a place where nothing else can stand."""

POSTGRES = {"log": "notice", "detail": None, "hint": None, "context": None, "statement": None, "query": None}
"""In capitals before a colon. A line that explains or quotes the message before it has no level of its own."""

LETTERS = {
    **dict.fromkeys("DTVd", "debug"),
    **dict(zip("XACEWNIF", (*SEVERITIES[:7], "crit"), strict=True)),
}
"""Of klog, glog, MongoDB, Android, CUPS and APT."""

MYSQL = {"Note": "notice", "System": "notice"}
"""In brackets, besides `Warning` and `ERROR`."""

VMWARE = dict(zip(("Em", "Al", "Cr", "Er", "Wa", "No", "In", "Db"), SEVERITIES, strict=True))
REDIS = {".": "debug", "-": "info", "*": "notice", "#": "warning"}

NUMBERS = (
    dict(enumerate(SEVERITIES))
    | dict(zip(range(10, 70, 10), ("debug", "debug", "info", "warning", "error", "crit"), strict=True))
    | dict(zip((100, 200, 250, 300, 400, 500, 550, 600), reversed(SEVERITIES), strict=True))
)
"""0 to 7 as in syslog, tens as in bunyan and pino, hundreds as in Monolog."""

NEXTCLOUD = ("debug", "info", "warning", "error", "crit")
"""Indexed by number."""

SSSD = {
    0x0010: "crit",
    0x0020: "crit",
    0x0040: "error",
    0x0080: "warning",
    0x0100: "info",
    **dict.fromkeys((0x0200, 0x0400, 0x1000, 0x2000, 0x4000, 0x8000, 0x10000, 0x20000), "debug"),
}
"""By the bit of its debug level."""
