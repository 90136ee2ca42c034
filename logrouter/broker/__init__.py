"""Access to the message broker: RabbitMQ over AMQP, or an embedded one. `contract` defines what every engine does.

`connect` imports only the engine that an address names, so that an embedded setup does not load the AMQP library and a
shipper does not load SQLite.
"""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from logrouter.broker.contract import Broker
from logrouter.errors import UserError

_LOCATION = re.compile(r"(\[[^\]]*\]|[^:/?#]*)(:\d+(?=[/?#]|$))?(/[^?#]*)?")
_REMEDY = (
    "write embedded, or amqp://user:password@host:5672/vhost (amqps:// for TLS); further hosts follow after commas; "
    "percent-encode : @ / , in a password"
)


def connect(url: str, state: Path) -> Broker:
    """Return the broker at `url`. This opens no connection.

    `embedded` keeps its queues in the directory `state`. `unix:PATH` is the socket of a process that serves its
    embedded broker. Anything else is a list of amqp:// or amqps:// addresses, separated by commas and tried in turn.
    An address after the first may be only `host` or `host:port`: it takes the scheme, user, vhost and options of the
    first. Raises UserError if `url` is none of these.
    """
    if url == "embedded":
        from logrouter.broker.embedded import EmbeddedBroker  # noqa: PLC0415  # only the engine that is used

        return EmbeddedBroker(state)
    if url.startswith("unix:"):
        from logrouter.broker.socket.client import SocketBroker  # noqa: PLC0415  # only the engine that is used

        return SocketBroker(Path(url.removeprefix("unix:")))
    addresses = _addresses(url)
    from logrouter.broker.amqp import AmqpBroker  # noqa: PLC0415  # only the engine that is used

    return AmqpBroker(addresses)


def redacted(url: str) -> str:
    """Return one or more addresses in a form fit for logs: user, host, port and vhost, without password and options."""
    return ",".join(_redacted(part) for part in url.split(","))


def _redacted(address: str) -> str:
    scheme, mark, rest = address.rpartition("://")
    credentials, at, location = rest.rpartition("@")
    # Without a scheme, the text before "@" may be the rest of a password that contains a comma.
    user = credentials.partition(":")[0] if mark else ""
    found = _LOCATION.match(location)
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
        pass  # an invalid port or an unclosed bracket: the error below explains what to write
    raise UserError(f"{redacted(url)!r} is not the address of a broker", _REMEDY)
