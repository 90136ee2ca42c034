"""Dead letters: messages that could not be handled, kept on the broker with the reason until a person decides.

Each one is logged as a named event and counted in a metric.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from logrouter.errors import LogrouterError
from logrouter.observability import events, metrics
from logrouter.router.handoff import addressed_to
from logrouter.wire.message import MAX_BODY, Message


@dataclass(frozen=True, slots=True)
class DeadLetters:
    """A queue of dead letters."""

    queue: str

    def letter(self, message: Message, error: Exception) -> Message:
        """Log and count a dead letter, and return the copy of the message to publish to the queue.

        A body that is too large for a broker is truncated.
        """
        is_ours = isinstance(error, LogrouterError)  # any other error is a bug in this program, so its type is named
        reason = str(error) if is_ours else f"{type(error).__name__}: {error}"
        happened = events.DEAD_LETTER if is_ours else events.MESSAGE_FAILED
        happened.happened(key=message.key, queue=self.queue, reason=reason)
        metrics.DEAD.labels(self.queue).inc()
        if len(message.body) > MAX_BODY:
            message = replace(message, body=message.body[:MAX_BODY])
        return addressed_to(self.queue, message, reason=reason)
