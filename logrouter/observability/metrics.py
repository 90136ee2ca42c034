"""Metrics: counters for each step of a line's life, in the Prometheus client."""

from __future__ import annotations

from prometheus_client import Counter

SHIPPED = Counter("logrouter_shipped_records_total", "Records confirmed by the broker, by service", ["service"])
DECIDED = Counter("logrouter_decided_records_total", "Records decided, by destination", ["destination"])
SUPPRESSED = Counter("logrouter_suppressed_records_total", "Records dropped because they came again")
LATE = Counter("logrouter_late_windows_total", "Windows released out of order, by reason", ["why"])
DEAD = Counter("logrouter_dead_messages_total", "Messages sent to dead letter queues, by queue", ["queue"])
UNREAD = Counter(
    "logrouter_unread_bytes_total", "Bytes of files that were truncated or rewritten before they were read"
)
MAILS = Counter("logrouter_mails_total", "Mails delivered, by destination", ["destination"])
ROUTED = Counter("logrouter_routed_records_total", "Records decided, each counted once, by service", ["service"])
SHED = Counter(
    "logrouter_shed_records_total", "Messages discarded because a spool was nearly full, by severity", ["severity"]
)
REDACTED = Counter("logrouter_redactions_total", "Texts redacted, counted each time they are read, by kind", ["kind"])
KERNEL_DROPS = Counter(
    "logrouter_kernel_drops_total", "Datagrams that the kernel dropped before they were read, by address", ["address"]
)

CUT = Counter("logrouter_cut_messages_total", "Syslog messages truncated because they exceeded their limit")
ENDED_CLIENTS = Counter(
    "logrouter_ended_clients_total", "Connections closed by logrouter, by reason (idle, crowded, unended, tls)", ["why"]
)


def by_label(counter: Counter) -> dict[str, int]:
    """Return the values of a counter in this process by its one label ('' if it has none), without zeros."""
    return {
        next(iter(sample.labels.values()), ""): int(sample.value)
        for metric in counter.collect()
        for sample in metric.samples
        if sample.name.endswith("_total") and sample.value
    }
