"""Named events: whatever goes wrong, or changes state, is said here once and counted under its name.

In comes an event with its details; out go one log line and one step of `logrouter_events_total{event=...}`. The line is
one whatever the details hold: each is made printable here, so that no caller has to. The list of all events is below,
so that what can happen can be read in one place.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from string import Formatter
from typing import Any

from prometheus_client import Counter

from logrouter.support.terminal import printable

_log = logging.getLogger("logrouter")
_counted = Counter("logrouter_events_total", "Named events, by name", ["event"])


class _PrintableDetails(Formatter):
    def format_field(self, value: Any, format_spec: str) -> str:
        """A detail as it stands in the sentence."""
        return printable(str(super().format_field(value, format_spec)))


_sentences = _PrintableDetails()


@dataclass(frozen=True, slots=True)
class Event:
    """A thing that can happen: its name, its logging level and a sentence with the details in braces."""

    name: str
    level: int
    sentence: str

    def happened(self, **details: Any) -> str:
        """Log the sentence, count the event, and return the sentence."""
        text = _sentences.format(self.sentence, **details)
        _counted.labels(self.name).inc()
        _log.log(self.level, "%s: %s", self.name, text)
        return text

    def count(self) -> float:
        """How often it has happened in this process."""
        return float(_counted.labels(self.name)._value.get())  # noqa: SLF001  # the client has no public reader


def counts() -> dict[str, float]:
    """How often each event has happened in this process, by name; those that never did are left out."""
    samples = (sample for metric in _counted.collect() for sample in metric.samples)
    return {each.labels["event"]: each.value for each in samples if each.name.endswith("_total") and each.value}


_info, _warning, _error = logging.INFO, logging.WARNING, logging.ERROR

BROKER_LOST = Event("broker.lost", _warning, "{broker} is out of reach ({reason}); trying again, nothing is lost")
BROKER_FOUND = Event("broker.found", _info, "connected to {broker}")
BROKER_FORBIDDEN = Event("broker.forbidden", _error, "{broker} refuses the router ({reason}); trying again. {remedy}")
BROKER_ALLOWED = Event("broker.allowed", _info, "{broker} allows the router what it refused before")
BROKER_BLOCKED = Event("broker.blocked", _warning, "{broker} asks publishers to hold ({reason})")
BROKER_UNBLOCKED = Event("broker.unblocked", _info, "{broker} takes messages again")
BROKER_STORE_FAILED = Event("broker.store_failed", _error, "{reason}; delayed messages wait, trying again")

ARCHIVE_TORN = Event(
    "archive.repaired", _info, "{path} was cut back to its last commit; the bytes behind it are in .torn"
)
ARCHIVE_UNMENDED = Event(
    "archive.repair_deferred",
    _warning,
    "{path} cannot be cut back to its last commit now ({reason}); the next write will",
)
ARCHIVE_DAMAGED = Event("archive.damaged", _error, "{path} is not as long as committed ({reason}); see logrouter audit")

COMMIT_FAILING = Event("commit.failing", _error, "records cannot be written ({reason}); trying again, none is lost")
DISK_NEARLY_FULL = Event(
    "disk.nearly_full", _warning, "{free} of the disk of {directory} is free; `keep:` in the rules removes old files"
)
DISK_ROOMY = Event("disk.recovered", _info, "{free} of the disk of {directory} is free again")
SET_ASIDE = Event(
    "destination.overflowing", _error, "destination {destination} is stuck ({reason}); its records wait in a file"
)
ASIDE_ORPHANED = Event(
    "destination.orphaned",
    _error,
    "{records} records wait in {path} for destination {destination}, which the rules do not have any more",
)
INLINE_AGAIN = Event("destination.resumed", _info, "destination {destination} has caught up")
COMMIT_RESUMED = Event("commit.resumed", _info, "records are written again")
NOTIFYING_FAILING = Event(
    "notification.failing", _error, "destination {destination} does not take what it is sent ({reason}); trying again"
)
NOTIFYING_RESUMED = Event("notification.resumed", _info, "destination {destination} takes what it is sent again")
NOTIFICATION_REFUSED = Event(
    "notification.refused", _error, "destination {destination} refused a message for good, it is in {queue}: {reason}"
)
GATHERED_ASIDE = Event(
    "notification.unusable",
    _error,
    "destination {destination}: what was gathered cannot be told ({reason}); it is in {queue}, and gathering goes on",
)
TEMPLATE_FAILED = Event(
    "notification.template", _error, "destination {destination}: its templates fail ({reason}); using the shipped ones"
)
DEAD_LETTER = Event("message.dead", _warning, "a message under {key!r} went to {queue}: {reason}")
MESSAGE_CUT = Event(
    "message.cut",
    _warning,
    "a message of {length} bytes under {key!r} is too large for a record; {kept} bytes are kept",
)
MESSAGE_FAILED = Event(
    "message.failed", _error, "a message under {key!r} could not be handled ({reason}); it goes to {queue}"
)
STATE_FORKED = Event(
    "state.forked",
    _warning,
    "the state directory of a shipper of {host} was copied or set back: what it ships in session {session} counts as "
    "sources of its own, and nothing of it is dropped",
)
LINES_MISSING = Event(
    "lines.missing",
    _warning,
    "lines of {count} sources did not come, of {source} at {position} among them; their shippers are asked again",
)
LINES_GONE = Event(
    "lines.lost",
    _error,
    "source {source}: {size} bytes that the broker lost cannot be read any more; see logrouter audit",
)
LINES_HEALED = Event("lines.healed", _info, "source {source}: what the broker had lost has come again")
REQUESTS_REFUSED = Event(
    "requests.refused", _warning, "shippers cannot be asked for what is missing ({reason}). {remedy}"
)
TOPOLOGY_RESTORED = Event("topology.restored", _warning, "{what} was gone from the broker, and is made anew")
TOPOLOGY_UNKNOWN = Event(
    "topology.unknown", _warning, "what is declared on the broker cannot be looked at ({reason}); trying again"
)
LEASE_HELD = Event(
    "instance.taken", _warning, "another router serves instance {instance} on {broker}; waiting until it ends"
)
LEASE_FREE = Event("instance.free", _info, "this router serves instance {instance} now")
WINDOW_HOLE = Event("window.gap", _warning, "source {source}: something before {position} did not come in time")
WINDOW_SHORT = Event(
    "window.incomplete",
    _warning,
    "source {source}: a window has no records for {ranges}; that stays missing until it comes",
)
STATED_TOO_MUCH = Event(
    "statement.limit_reached",
    _warning,
    "{reporter!r} states more than {most} sources; audits forget the oldest of them",
)
TIDY_FAILED = Event(
    "archive.finish_failed", _warning, "finished files could not be put away ({reason}); trying again later"
)
RELOADED = Event("rules.reloaded", _info, "{count} rules are in force as {path} has them now")
RELOAD_REFUSED = Event("rules.refused", _error, "the rules in force stay: {reason}")
RULES_MISTAKEN = Event("rules.mistake", _error, "{mistake}")
RULES_ODD = Event("rules.warning", _warning, "{warning}")

FILE_UNREADABLE = Event("file.unreadable", _warning, "cannot be read ({reason}): {paths}; {remedy}")
FILE_READABLE = Event("file.readable", _info, "{path} can be read now")
FILE_REWRITTEN = Event(
    "file.rewritten", _warning, "{path} was truncated or rewritten at {position}; {unread} bytes unread"
)
FILE_DAMAGED = Event("file.damaged", _warning, "{path} cannot be unpacked beyond byte {position}: {reason}")
FILE_GONE = Event(
    "file.gone",
    _warning,
    "{path} is gone; it was read up to byte {position}, and what it held beyond that, if anything, is lost",
)
FILE_ALIKE = Event(
    "file.same_content",
    _info,
    "{path} holds what {other} holds, and is read all the same: its lines may be there twice",
)
INPUTS_KEPT = Event(
    "input.reload_ignored", _info, "on SIGHUP inputs stay what they were at the start; to apply others, restart this"
)
GLOB_EMPTY = Event("input.empty", _info, "not on this machine: {globs}")
INPUTS_OVERLAP = Event(
    "input.overlap", _warning, "{paths}: matched by {inputs} as well; shipped once, as {taken}, which stands first"
)
GLOB_MATCHED = Event("input.matched", _info, "a file matches {glob} now")
INPUT_UNWATCHED = Event(
    "input.unwatched",
    _info,
    "the kernel does not tell of every change to files ({reason}); they are looked at each second instead",
)
INPUT_HANGS = Event(
    "input.not_responding",
    _warning,
    "{path} has not answered for {seconds} s; files below it wait, all others are read",
)
INPUT_ANSWERS = Event("input.responding", _info, "{path} answers again")
INPUT_IN_TURN = Event(
    "input.file_limit_reached",
    _warning,
    "{files} files are followed and {most} may be open, so they are read in turn; to have all open at once set "
    "LimitNOFILE= of the unit, or ulimit -n, to more",
)
INPUT_OPEN = Event("input.file_limit_ended", _info, "all {files} files that are followed can be open at once again")
FOLLOWING = Event("input.following", _info, "following {what}")
NOT_TRIED = Event("input.not_tried", _info, "{input}: nothing is listened for in a dry run")
QUIET = Event(
    "input.quiet", _warning, "nothing has arrived in {seconds:g} s. Looked for {what}. To see it all at work: {remedy}"
)
UP_SUMMARY = Event("up.summary", _info, "{summary}")
WORKER_LOST = Event(
    "worker.lost", _warning, "the worker {pid} has ended ({reason}); its lines are made into records here"
)
WINDOW_UNREAD = Event(
    "window.unread",
    _error,
    "{input}: the lines of source {source} at {position} could not be looked into ({reason}); they go as plain records",
)
RECORD_CUT = Event(
    "record.cut", _warning, "source {source}: the record at {position} is too large for a message; its text is cut"
)
SCAN_FAILED = Event("input.scan_failed", _error, "looking for files failed ({reason}); trying again")
LINE_CUT = Event("line.cut", _warning, "{path}: a line of {length} bytes at {position} was cut to {kept}")
PUBLISH_REFUSED = Event("publish.refused", _warning, "{broker} does not take messages ({reason}); reading them again")
PUBLISH_TAKEN = Event("publish.taken", _info, "{broker} takes the messages again")
STATEMENT_REFUSED = Event(
    "statement.refused",
    _warning,
    "what this shipper states of itself is refused ({reason}): audits know less, lines are shipped all the same; "
    "{remedy}",
)
STATEMENT_TAKEN = Event("statement.taken", _info, "what this shipper states of itself is taken again")
ROUTER_ABSENT = Event("router.absent", _warning, "no router {instance!r} has been on {broker} yet; waiting for it")
ROUTER_HERE = Event("router.present", _info, "router {instance!r} has been on {broker}; publishing")
STATE_BROKEN = Event(
    "state.broken", _warning, "{path} is broken ({reason}), kept as {kept}; reading all from the start"
)
STATE_CLONED = Event("state.cloned", _warning, "{path} is another machine's; going on from it under new sources")
STATE_UNSAVED = Event("state.unsaved", _error, "{path} cannot be saved ({reason}); new files wait, trying again")
STATE_SAVED = Event("state.saved", _info, "{path} can be saved again")
SESSION_UNSAVED = Event(
    "session.unsaved",
    _warning,
    "{path} cannot be saved ({reason}); shipping goes on, only a copy of this state could not be told from it",
)
SESSION_SAVED = Event("session.saved", _info, "{path} can be saved again")
DRAIN_LEFT = Event("drain.left", _warning, "left behind: {what}")
RESENDING = Event(
    "source.resent", _info, "{path}: a router asks again for bytes {start} to {end} of source {source}; sending them"
)
RESENDING_FORBIDDEN = Event(
    "requests.forbidden",
    _warning,
    "routers cannot ask this shipper for lines that the broker lost ({reason}); it ships all the same. {remedy}",
)
RESENDING_ALLOWED = Event("requests.allowed", _info, "routers can ask this shipper for lines that the broker lost")
RESENDING_REFUSED = Event("requests.unreadable", _warning, "a request of a router does not decode: {reason}")
LISTENING_BEGUN = Event("listening.begun", _info, "listening for {patterns} on {broker}; Ctrl-C ends it")
LISTENING_LOST = Event(
    "listening.lost", _warning, "{broker} is out of reach ({reason}); trying again, lines are missed"
)
TAIL_DROPPED = Event(
    "tail.dropped", _warning, "{messages} messages were dropped here: this output is too slow for them"
)
TAIL_UNREADABLE = Event("tail.unreadable", _warning, "a message under {key!r} does not decode: {reason}")
ARCHIVE_UNREADABLE = Event(
    "archive.unreadable", _error, "{path} cannot be read to its end ({reason}); what stands before is shown"
)
ARCHIVE_ODD = Event(
    "archive.invalid_lines",
    _error,
    "{path}: {count} lines are no records and are left out, the first is line {first}: {reason}",
)
LISTEN_FAILED = Event("input.not_listening", _warning, "cannot listen on {address} ({reason}); trying again")
LISTEN_BEGUN = Event("input.listening", _info, "listening on {address}")
UDP_DROPPED = Event("input.dropped", _warning, "the kernel dropped {count} datagrams on {address}: they came too fast")
CLIENTS_FULL = Event(
    "clients.limit_reached",
    _warning,
    "{count} connections, as many as `max_clients` allows: for each new one that which was quiet longest is ended",
)
CLIENTS_ROOMY = Event("clients.limit_ended", _info, "there is room for further connections again")
CLIENT_ENDED = Event("clients.disconnected", _info, "the connection from {peer} was ended: {reason}")
TLS_FAILED = Event("input.tls_failed", _warning, "{count} clients could not begin TLS on {address}, the last: {reason}")
TLS_UNREAD = Event("input.tls_unread", _error, "{reason}; going on with the certificate read before")
TLS_READ = Event("input.tls_read", _info, "using the certificate in {path}")
STDIN_FAILED = Event("stdin.failed", _error, "standard input cannot be read ({reason}); taken as its end")
SPOOL_FAILING = Event("spool.failing", _error, "{path} cannot be written ({reason}); inputs wait, trying again")
SPOOL_RESUMED = Event("spool.resumed", _info, "{path} is written again")
SHEDDING = Event(
    "input.shedding", _warning, "the spool {path} is nearly full: the mildest messages are left out, and counted"
)
SHED_OVER = Event("input.shedding_ended", _info, "the spool {path} has room again; nothing is left out")
SPOOL_LOST = Event("spool.lost", _error, "{path} could not be written to the last: {count} bytes are lost")
JOURNAL_FAILING = Event("journal.failing", _warning, "{journal} cannot be followed ({reason}); trying again. {remedy}")
JOURNAL_RESUMED = Event("journal.resumed", _info, "{journal} is followed again")
JOURNAL_GAP = Event(
    "journal.gap", _warning, "{journal} has lost the entry to go on after ({cursor}); entries behind it may be lost too"
)
JOURNAL_SAID = Event("journal.message", _warning, "{journal}: journalctl says: {text}")
