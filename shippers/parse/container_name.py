"""Choose the service of a container's lines. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

COMPOSE_SERVICE = "com.docker.compose.service"


def service_of(container: Mapping[str, Any]) -> str:
    """Return the container's Compose service, or its name if it has none; '' if both are unknown."""
    return str(container.get("labels", {}).get(COMPOSE_SERVICE) or container.get("name", ""))
