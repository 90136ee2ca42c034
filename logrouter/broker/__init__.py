"""The exchange, on either engine: AMQP (RabbitMQ) or embedded in this process; `contract` says what both do.

In comes the address from a configuration, out goes the Broker it names. The engine is imported when it is asked for,
so that an embedded set-up loads no AMQP library and a shipper no SQLite.
"""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from logrouter.broker.contract import Broker
from logrouter.errors import UserError

_PLACE = re.compile(r"(\[[^\]]*\]|[^:/?#]*)(:\d+(?=[/?#]|$))?(/[^?#]*)?")
_REMEDY = (
    "write embedded, or amqp://user:password@host:5672/vhost (amqps:// for TLS); further hosts follow after commas; "
    "percent-encode : @ / , in a password"
)


def connect(url: str, state: Path) -> Broker:
    """The broker at `url`; nothing is opened yet.

    `embedded` keeps its queues under the directory `state`; unix:PATH is the socket of a process that has one open.
    Otherwise amqp:// or amqps:// addresses, with commas between them and tried in turn; one after the first that is
    only `host` or `host:port` takes scheme, user, vhost and options from the first. Raises UserError for anything else.
    """
    if url == "embedded":
        from logrouter.broker.embedded import EmbeddedBroker  # noqa: PLC0415  # see above: only the engine asked for

        return EmbeddedBroker(state)
    if url.startswith("unix:"):
        from logrouter.broker.socket.client import SocketBroker  # noqa: PLC0415  # likewise

        return SocketBroker(Path(url.removeprefix("unix:")))
    addresses = _addresses(url)
    from logrouter.broker.amqp import AmqpBroker  # noqa: PLC0415  # likewise

    return AmqpBroker(addresses)


def redacted(url: str) -> str:
    """An address, or several, as people and logs may see it: user, host, port and vhost."""
    return ",".join(_redacted(part) for part in url.split(","))


def _redacted(address: str) -> str:
    scheme, mark, rest = address.rpartition("://")
    credentials, at, place = rest.rpartition("@")
    user = credentials.partition(":")[0] if mark else ""  # without a scheme it may be the rest of a cut password
    found = _PLACE.match(place)
    return f"{scheme}{mark}{user}{at}{found.group() if found else ''}"


def _addresses(url: str) -> list[str]:
    first, *others = (part.strip() for part in url.split(","))
    parts = _parsed(first, url)
    credentials, at, _ = parts.netloc.rpartition("@")
    addresses = [first]
    for other in others:
        address = other if "://" in other else parts._replace(netloc=f"{credentials}{at}{other}").geturl()
        _parsed(address, url)
        addresses.append(address)
    return addresses


def _parsed(address: str, url: str) -> SplitResult:
    try:
        parts = urlsplit(address)
        if parts.scheme in ("amqp", "amqps") and parts.hostname and parts.port != 0:
            return parts
    except ValueError:
        pass  # a port that is no number, a bracket that does not close: the error below says what to write
    raise UserError(f"no broker can be reached at {redacted(url)!r}", _REMEDY)
