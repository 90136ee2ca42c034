"""What all tests share: the RabbitMQ node, and both brokers behind the one contract."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, settings
from needs import lacks
from rabbitmq_node import VERSION, RabbitNode

from logrouter.broker import connect
from logrouter.broker.contract import Broker, Session
from logrouter.broker.socket.server import serve

_REMEDY = f"scripts/rabbitmq-4.sh {VERSION}" if VERSION else "apt install rabbitmq-server"
_REASON = f"RabbitMQ {VERSION}".rstrip() + f" is not installed ({_REMEDY})"
_ABSENT = f"{_REASON}: THE TESTS THAT NEED IT WERE SKIPPED"

settings.register_profile("suite", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("suite")  # a machine that is busy with something else is no failure


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "rabbitmq" in getattr(item, "fixturenames", ()):
            item.add_marker(pytest.mark.rabbitmq)


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("rabbitmq") is not None and not RabbitNode.installed():
        lacks(_REASON)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    skipped = terminalreporter.stats.get("skipped", [])
    if any(_REASON in str(report.longrepr) for report in skipped):
        terminalreporter.write_line(_ABSENT, red=True, bold=True)


@pytest.fixture(scope="session")
def rabbitmq(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RabbitNode]:
    """A node for the whole run: use fresh names. A test that stops it must start it again."""
    with RabbitNode(tmp_path_factory.mktemp("rabbitmq")) as node:
        yield node


@pytest.fixture(params=["embedded", "socket", pytest.param("amqp", marks=pytest.mark.rabbitmq)])
async def broker(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Broker]:
    """Each engine in turn; `socket` is the embedded one as other processes reach it."""
    if request.param == "amqp":
        yield connect(request.getfixturevalue("rabbitmq").url, tmp_path / "state")
        return
    embedded = connect("embedded", tmp_path / "state")
    if request.param == "embedded":
        yield embedded
        return
    async with serve(embedded, tmp_path / "socket"):
        yield connect(f"unix:{tmp_path}/socket", tmp_path / "state")


@pytest.fixture
async def session(broker: Broker) -> AsyncIterator[Session]:
    async with broker.session() as session:
        yield session


@pytest.fixture
def fresh() -> Callable[[str], str]:
    """Makes names that no other test has: `fresh("in")` is the same all through one test."""
    prefix = uuid4().hex[:8]
    return lambda name: f"{prefix}.{name}"
