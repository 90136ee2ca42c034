"""The translation of the AMQP library's exceptions into those of `logrouter.errors`."""

from __future__ import annotations

import asyncio
from typing import Any

import aiormq

from logrouter.errors import BrokerError, Forbidden, NotFound, PublishRefused, QueueTaken, SessionLost, Unroutable

_KINDS: dict[type[BaseException], type[BrokerError]] = {
    aiormq.ChannelNotFoundEntity: NotFound,
    aiormq.ChannelLockedResource: QueueTaken,
    aiormq.ChannelClosed: BrokerError,
    ValueError: BrokerError,  # a name that the library refuses to send
}
"""Exceptions that translate by type alone, subclasses first."""


def error_of(future: asyncio.Future[Any]) -> BaseException | None:
    """Return why a finished future failed, None if it did not.

    A cancelled future has failed as well, because the library cancels calls that wait on a lost connection.
    """
    return asyncio.CancelledError() if future.cancelled() else future.exception()


def translated(error: BaseException, needs: str) -> BrokerError:
    """Return an error of the library as one of ours.

    needs: the permissions that the call requires, for the remedy; RabbitMQ 3.10 does not name them.
    """
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
    """Return the text of an error. The library raises an empty exception if the connection simply ended."""
    text = " ".join(map(str, error.args)) if error is not None else ""
    return text or "the connection is gone"
