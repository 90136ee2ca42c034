"""Dead letters: what could not be handled, kept on the broker with its reason until a person decides.

Whatever goes there is one named event and one step of a metric.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from logrouter.errors import LogrouterError
from logrouter.observability import events, metrics
from logrouter.router.handoff import sent_to
from logrouter.wire.message import MAX_BODY, Message


@dataclass(frozen=True, slots=True)
class DeadLetters:
    """A queue of dead letters."""

    queue: str

    def letter(self, message: Message, error: Exception) -> Message:
        """The copy of a message that is to be published to the queue. A body that no broker takes is cut."""
        is_ours = isinstance(error, LogrouterError)  # anything else is a mistake in this program, so name its kind
        reason = str(error) if is_ours else f"{type(error).__name__}: {error}"
        happened = events.DEAD_LETTER if is_ours else events.MESSAGE_FAILED
        happened.happened(key=message.key, queue=self.queue, reason=reason)
        metrics.DEAD.labels(self.queue).inc()
        if len(message.body) > MAX_BODY:
            message = replace(message, body=message.body[:MAX_BODY])
        return sent_to(self.queue, message, reason=reason)
