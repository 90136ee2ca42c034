"""What a container is called -> the service of its lines. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

COMPOSE_SERVICE = "com.docker.compose.service"


def service_of(container: Mapping[str, Any]) -> str:
    """The service that a container belongs to: as Compose calls it, else its name; '' for an unknown one."""
    return str(container.get("labels", {}).get(COMPOSE_SERVICE) or container.get("name", ""))
