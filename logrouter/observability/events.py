"""Named events: whatever goes wrong or changes state is logged here in one sentence and counted under its name.

Each event that happens is one log line and adds one to `logrouter_events_total{event=...}`. Details are made printable
here, so that no detail can break a line and no caller has to care. The list below shows all that can happen.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from string import Formatter
from typing import Any

from prometheus_client import Counter

from logrouter.support.terminal import printable

_log = logging.getLogger("logrouter")
_counted = Counter("logrouter_events_total", "Events, by name", ["event"])


class _PrintableDetails(Formatter):
    def format_field(self, value: Any, format_spec: str) -> str:
        """Return a detail as printable text."""
        return printable(str(super().format_field(value, format_spec)))


_sentences = _PrintableDetails()


@dataclass(frozen=True, slots=True)
class Event:
    """An event: its name, its logging level, and a sentence with the details in braces."""

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
        """Return how often the event has happened in this process."""
        return float(_counted.labels(self.name)._value.get())  # noqa: SLF001  # the client has no public reader


def counts() -> dict[str, float]:
    """Return how often each event has happened in this process, by name, without those that have not."""
    samples = (sample for metric in _counted.collect() for sample in metric.samples)
    return {each.labels["event"]: each.value for each in samples if each.name.endswith("_total") and each.value}


_info, _warning, _error = logging.INFO, logging.WARNING, logging.ERROR

BROKER_LOST = Event("broker.lost", _warning, "cannot reach {broker} ({reason}); retrying, nothing is lost")
BROKER_FOUND = Event("broker.found", _info, "connected to {broker}")
BROKER_FORBIDDEN = Event(
    "broker.forbidden", _error, "{broker} denies the router a permission ({reason}); {remedy}; retrying"
)
BROKER_ALLOWED = Event("broker.allowed", _info, "{broker} grants the router the permission that it denied before")
BROKER_BLOCKED = Event(
    "broker.blocked", _warning, "{broker} blocks publishers ({reason}); messages wait until it accepts them again"
)
BROKER_UNBLOCKED = Event("broker.unblocked", _info, "{broker} accepts messages again")
BROKER_STORE_FAILED = Event(
    "broker.store_failed", _error, "cannot move delayed messages ({reason}); they wait, retrying"
)

ARCHIVE_TORN = Event(
    "archive.repaired", _info, "{path} is truncated to its last commit; the bytes after it are in a .torn file"
)
ARCHIVE_UNMENDED = Event(
    "archive.repair_deferred",
    _warning,
    "cannot truncate {path} to its last commit now ({reason}); the next write does it",
)
ARCHIVE_DAMAGED = Event(
    "archive.damaged", _error, "{path} is not what was committed ({reason}); a new segment begins, see logrouter audit"
)

COMMIT_FAILING = Event("commit.failing", _error, "cannot write records ({reason}); retrying, nothing is lost")
DISK_NEARLY_FULL = Event(
    "disk.nearly_full",
    _warning,
    "only {free} of the disk of {directory} is free; set `keep:` in the rules to remove old files",
)
DISK_ROOMY = Event("disk.recovered", _info, "{free} of the disk of {directory} is free again")
OVERFLOWING = Event(
    "destination.overflowing",
    _error,
    "destination {destination} is set aside ({reason}); its records wait in a file until it catches up",
)
ASIDE_ORPHANED = Event(
    "destination.orphaned",
    _error,
    "{records} records wait in {path} for destination {destination}, which is no longer in the rules; add it "
    "again to write them",
)
INLINE_AGAIN = Event("destination.resumed", _info, "destination {destination} has caught up")
COMMIT_RESUMED = Event("commit.resumed", _info, "records are written again")
# Email recognises events about itself by this beginning, "notification.NAME: destination NAME", and must not mail them.
NOTIFYING_FAILING = Event(
    "notification.failing", _error, "destination {destination} does not accept notifications ({reason}); retrying"
)
NOTIFYING_RESUMED = Event("notification.resumed", _info, "destination {destination} accepts notifications again")
NOTIFICATION_REFUSED = Event(
    "notification.refused",
    _error,
    "destination {destination} refuses a notification for good ({reason}); it is in {queue}",
)
GATHERED_ASIDE = Event(
    "notification.unusable",
    _error,
    "destination {destination} cannot use what it gathered ({reason}); it is in {queue}, and gathering continues",
)
TEMPLATE_FAILED = Event(
    "notification.template",
    _error,
    "destination {destination} cannot use its own templates ({reason}); using the shipped ones for this mail",
)
DEAD_LETTER = Event("message.dead", _warning, "a message with routing key {key!r} goes to {queue}: {reason}")
MESSAGE_CUT = Event(
    "message.cut",
    _warning,
    "a message of {length} bytes with routing key {key!r} is too large for a record; {kept} bytes are kept",
)
MESSAGE_FAILED = Event(
    "message.failed", _error, "cannot handle a message with routing key {key!r} ({reason}); it goes to {queue}"
)
STATE_FORKED = Event(
    "state.forked",
    _warning,
    "the state directory of a shipper on {host} was copied or set back; what it ships in session {session} "
    "counts as new sources, and none of it is dropped",
)
LINES_MISSING = Event(
    "lines.missing",
    _warning,
    "lines of {count} sources are missing, among them {source} at {position}; requesting them from their shippers",
)
LINES_GONE = Event(
    "lines.lost",
    _error,
    "source {source}: the broker lost {size} bytes that no shipper can read any more; see logrouter audit",
)
LINES_HEALED = Event("lines.healed", _info, "source {source}: all that the broker lost has come again")
REQUESTS_REFUSED = Event(
    "requests.refused", _warning, "cannot request missing lines from shippers ({reason}); {remedy}"
)
TOPOLOGY_RESTORED = Event("topology.restored", _warning, "{what} is missing on the broker; declaring it again")
TOPOLOGY_UNKNOWN = Event(
    "topology.unknown", _warning, "cannot check what is declared on the broker ({reason}); retrying"
)
LEASE_HELD = Event(
    "instance.taken", _warning, "another router serves instance {instance} on {broker}; waiting until it ends"
)
LEASE_FREE = Event("instance.free", _info, "this router now serves instance {instance}")
WINDOW_GAP = Event(
    "window.gap", _warning, "source {source}: something before {position} has not come in time; continuing without it"
)
WINDOW_INCOMPLETE = Event(
    "window.incomplete",
    _warning,
    "source {source}: a window has no records for {ranges}; these stay missing until they come",
)
STATED_TOO_MUCH = Event(
    "statement.limit_reached",
    _warning,
    "reporter {reporter!r} states more than {most} sources; audits ignore the oldest of them",
)
TIDY_FAILED = Event(
    "archive.finish_failed", _warning, "cannot finish or remove archive files ({reason}); retrying later"
)
RELOADED = Event("rules.reloaded", _info, "{count} rules from {path} are in force now")
RELOAD_REFUSED = Event("rules.refused", _error, "the new rules are refused ({reason}); the old ones stay in force")
RULES_MISTAKEN = Event("rules.mistake", _error, "{mistake}")
RULES_ODD = Event("rules.warning", _warning, "{warning}")

FILE_UNREADABLE = Event("file.unreadable", _warning, "cannot read {paths} ({reason}); {remedy}")
FILE_READABLE = Event("file.readable", _info, "{path} can be read now")
FILE_REWRITTEN = Event(
    "file.rewritten", _warning, "{path} was truncated or rewritten at byte {position}; {unread} bytes were not read"
)
FILE_DAMAGED = Event("file.damaged", _warning, "cannot decompress {path} beyond byte {position}: {reason}")
FILE_GONE = Event(
    "file.gone", _warning, "{path} is gone; it was read up to byte {position}, and anything after that is lost"
)
FILE_ALIKE = Event(
    "file.same_content", _info, "{path} has the same content as {other} and is read as well; its lines may come twice"
)
RELOAD_IGNORED = Event("input.reload_ignored", _info, "SIGHUP does not reload inputs; restart to apply changes")
GLOB_EMPTY = Event("input.empty", _info, "no file matches {globs} yet")
INPUTS_OVERLAP = Event(
    "input.overlap", _warning, "{inputs} also matches {paths}; shipped once, as {taken}, which comes first"
)
GLOB_MATCHED = Event("input.matched", _info, "a file now matches {glob}")
INPUT_UNWATCHED = Event(
    "input.unwatched", _info, "the kernel cannot report every change to files ({reason}); polling them each second"
)
INPUT_HANGS = Event(
    "input.not_responding",
    _warning,
    "{path} has not responded for {seconds} s; files under it wait, all others are read",
)
INPUT_ANSWERS = Event("input.responding", _info, "{path} responds again")
INPUT_IN_TURN = Event(
    "input.file_limit_reached",
    _warning,
    "{files} files are followed and only {most} can be open, so they are read in turn; raise LimitNOFILE= of the "
    "unit, or ulimit -n, to have all open at once",
)
INPUT_OPEN = Event("input.file_limit_ended", _info, "all {files} followed files can be open at once again")
FOLLOWING = Event("input.following", _info, "following {what}")
NOT_TRIED = Event("input.not_tried", _info, "{input}: skipped, because a dry run does not listen")
QUIET = Event(
    "input.quiet",
    _warning,
    "nothing has arrived in {seconds:g} s; looked for {what}. To see it all at work, run {remedy}",
)
UP_SUMMARY = Event("up.summary", _info, "{summary}")
WORKER_LOST = Event(
    "worker.lost", _warning, "worker process {pid} has ended ({reason}); the main process encodes its lines"
)
WINDOW_UNREAD = Event(
    "window.unread",
    _error,
    "{input}: cannot parse the lines of source {source} at {position} ({reason}); shipping them as plain records",
)
RECORD_CUT = Event(
    "record.cut",
    _warning,
    "source {source}: the record at {position} is too large for a message; its text is truncated",
)
SCAN_FAILED = Event("input.scan_failed", _error, "cannot look for files ({reason}); retrying")
LINE_CUT = Event("line.cut", _warning, "{path}: a line of {length} bytes at {position} is truncated to {kept}")
PUBLISH_REFUSED = Event("publish.refused", _warning, "{broker} refuses messages ({reason}); reading their lines again")
PUBLISH_TAKEN = Event("publish.taken", _info, "{broker} accepts the messages again")
STATEMENT_REFUSED = Event(
    "statement.refused",
    _warning,
    "cannot publish the statements of this shipper ({reason}); its lines are still shipped, but audits know less "
    "of them; {remedy}",
)
STATEMENT_TAKEN = Event("statement.taken", _info, "the statements of this shipper are published again")
ROUTER_ABSENT = Event(
    "router.absent", _warning, "no router {instance!r} has connected to {broker} yet; waiting for one"
)
ROUTER_HERE = Event("router.present", _info, "a router {instance!r} has connected to {broker}; publishing")
STATE_BROKEN = Event(
    "state.broken", _warning, "{path} is damaged ({reason}), kept as {kept}; reading all files from the start"
)
STATE_CLONED = Event(
    "state.cloned", _warning, "{path} comes from another machine; continuing from it under new sources"
)
STATE_UNSAVED = Event("state.unsaved", _error, "cannot save {path} ({reason}); new files wait, retrying")
STATE_SAVED = Event("state.saved", _info, "{path} can be saved again")
SESSION_UNSAVED = Event(
    "session.unsaved",
    _warning,
    "cannot save {path} ({reason}); shipping continues, but a copy of this state cannot be told apart",
)
SESSION_SAVED = Event("session.saved", _info, "{path} can be saved again")
DRAIN_LEFT = Event("drain.left", _warning, "not drained: {what}")
RESENDING = Event(
    "source.resent", _info, "{path}: a router requests bytes {start} to {end} of source {source} again; sending them"
)
RESENDING_FORBIDDEN = Event(
    "requests.forbidden",
    _warning,
    "cannot receive requests for lines that the broker lost ({reason}); shipping continues; {remedy}",
)
RESENDING_ALLOWED = Event(
    "requests.allowed", _info, "this shipper now receives requests for lines that the broker lost"
)
REQUEST_FAILED = Event("requests.unreadable", _warning, "cannot answer a request of a router: {reason}")
LISTENING_BEGUN = Event("listening.begun", _info, "listening for {patterns} on {broker}; press Ctrl-C to stop")
LISTENING_LOST = Event(
    "listening.lost", _warning, "cannot reach {broker} ({reason}); retrying, lines are missed meanwhile"
)
TAIL_DROPPED = Event(
    "tail.dropped", _warning, "{messages} messages were dropped, because this output is too slow for them"
)
TAIL_UNREADABLE = Event("tail.unreadable", _warning, "cannot decode a message with routing key {key!r}: {reason}")
ARCHIVE_UNREADABLE = Event(
    "archive.unreadable", _error, "cannot read {path} to its end ({reason}); showing what comes before"
)
ARCHIVE_ODD = Event(
    "archive.invalid_lines",
    _error,
    "{path}: {count} lines are not records and are left out; the first is line {first}: {reason}",
)
LISTEN_FAILED = Event("input.not_listening", _warning, "cannot listen on {address} ({reason}); retrying")
LISTEN_BEGUN = Event("input.listening", _info, "listening on {address}")
UDP_DROPPED = Event(
    "input.dropped", _warning, "the kernel dropped {count} datagrams on {address}, because they came too fast"
)
CLIENTS_FULL = Event(
    "clients.limit_reached",
    _warning,
    "{count} connections are open, the limit of `max_clients`; each new one closes the one that is quiet longest",
)
CLIENTS_ROOMY = Event("clients.limit_ended", _info, "there is room for new connections again")
CLIENT_ENDED = Event("clients.disconnected", _info, "the connection from {peer} is closed: {reason}")
TLS_FAILED = Event(
    "input.tls_failed", _warning, "{count} clients failed the TLS handshake on {address}; the last one: {reason}"
)
TLS_UNREAD = Event("input.tls_unread", _error, "{reason}; the certificate that was read before stays in use")
TLS_READ = Event("input.tls_read", _info, "using the certificate in {path}")
STDIN_FAILED = Event("stdin.failed", _error, "cannot read standard input ({reason}); treating this as its end")
SPOOL_FAILING = Event("spool.failing", _error, "cannot write {path} ({reason}); inputs wait, retrying")
SPOOL_RESUMED = Event("spool.resumed", _info, "{path} is written again")
SHEDDING = Event(
    "input.shedding",
    _warning,
    "the spool {path} is nearly full; messages of the mildest severities are discarded and counted",
)
SHED_OVER = Event("input.shedding_ended", _info, "the spool {path} has room again; nothing is discarded")
SPOOL_LOST = Event("spool.lost", _error, "cannot write {path} before the end; {count} bytes are lost")
JOURNAL_FAILING = Event("journal.failing", _warning, "cannot follow {journal} ({reason}); retrying. {remedy}")
JOURNAL_RESUMED = Event("journal.resumed", _info, "{journal} is followed again")
JOURNAL_GAP = Event(
    "journal.gap",
    _warning,
    "{journal} no longer has the last entry that was read ({cursor}); entries after it may be lost",
)
JOURNAL_SAID = Event("journal.message", _warning, "{journal}: journalctl reports: {text}")
