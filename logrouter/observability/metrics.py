"""Metrics: what is counted at each step of a line's life, in Prometheus' own client."""

from __future__ import annotations

from prometheus_client import Counter

SHIPPED = Counter("logrouter_shipped_records_total", "Records confirmed by the broker", ["service"])
DECIDED = Counter("logrouter_decided_records_total", "Records decided, by destination", ["destination"])
SUPPRESSED = Counter("logrouter_suppressed_records_total", "Records that came again and were dropped")
LATE = Counter("logrouter_late_windows_total", "Windows released before all that was due before them", ["why"])
DEAD = Counter("logrouter_dead_messages_total", "Messages sent to the dead letters", ["queue"])
UNREAD = Counter("logrouter_unread_bytes_total", "Bytes of files that were there and were gone before they were read")
MAILS = Counter("logrouter_mails_total", "Mails delivered", ["destination"])
ROUTED = Counter("logrouter_routed_records_total", "Records decided, each once, by service", ["service"])
SHED = Counter("logrouter_shed_records_total", "Messages left out since a spool was nearly full", ["severity"])
REDACTED = Counter("logrouter_redactions_total", "Texts made unreadable each time they were read", ["kind"])
KERNEL_DROPS = Counter("logrouter_kernel_drops_total", "Datagrams dropped before they were read", ["address"])

CUT = Counter("logrouter_cut_messages_total", "Syslog messages that were longer than their limit, kept in part")
ENDED_CLIENTS = Counter(
    "logrouter_ended_clients_total", "Connections that we ended: idle, crowded, unended, tls", ["why"]
)


def by_label(counter: Counter) -> dict[str, int]:
    """The values of a counter in this process by its one label ('' if it has none), without zeros."""
    return {
        next(iter(sample.labels.values()), ""): int(sample.value)
        for metric in counter.collect()
        for sample in metric.samples
        if sample.name.endswith("_total") and sample.value
    }
