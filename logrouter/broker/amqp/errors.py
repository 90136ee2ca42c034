"""What the library raises, as errors of ours: here and nowhere else."""

from __future__ import annotations

import asyncio
from typing import Any

import aiormq

from logrouter.errors import BrokerError, Forbidden, NotFound, PublishRefused, QueueTaken, SessionLost, Unroutable

_KINDS: dict[type[BaseException], type[BrokerError]] = {
    aiormq.ChannelNotFoundEntity: NotFound,
    aiormq.ChannelLockedResource: QueueTaken,
    aiormq.ChannelClosed: BrokerError,
    ValueError: BrokerError,  # a name that the library does not send
}
"""What says nothing but its reason; the special ones first."""


def error_of(future: asyncio.Future[Any]) -> BaseException | None:
    """Why a finished future failed. The library cancels what waits on a lost connection, so that is an error too."""
    return asyncio.CancelledError() if future.cancelled() else future.exception()


def translated(error: BaseException, needs: str) -> BrokerError:
    """An error of the library as ours. needs: the rights that what was asked takes; RabbitMQ 3.10 does not say."""
    if isinstance(error, aiormq.PublishError):
        return Unroutable(f"no queue takes the key {error.args[1]!r}")
    if isinstance(error, aiormq.DeliveryError):
        return PublishRefused("the broker answered with a nack")
    if isinstance(error, aiormq.ChannelAccessRefused):
        return Forbidden(reason(error), f"give its user {needs} (rabbitmqctl set_permissions)")
    for kind, ours in _KINDS.items():
        if isinstance(error, kind):
            return ours(reason(error))
    return SessionLost(reason(error))


def reason(error: BaseException | None) -> str:
    """What the library, or the broker through it, says; it gives a bare exception where the connection just ended."""
    text = " ".join(map(str, error.args)) if error is not None else ""
    return text or "the connection is gone"
