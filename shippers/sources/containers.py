"""Finds out which container wrote a log file, from its path and from the engine's files beside it."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import msgspec

from shippers.parse.container_formats import CRI, DOCKER
from shippers.parse.container_name import COMPOSE_SERVICE

_MAX_LABELS = 2048
"""Bytes of all labels together, as JSON. Larger ones are left out, because labels are sent with every line."""

_DOCKER = re.compile(r"/([0-9a-f]{64})/\1-json\.log[^/]*$")
_PODS = re.compile(r"/pods/([^/_]+)_([^/_]+)_([^/_]+)/([^/]+)/[^/]*\.log[^/]*$")
_CONTAINERS = re.compile(r"/([^/_]+)_([^/_]+)_([^/_]+)-([0-9a-f]{64})\.log$")


def container_of(path: str, wrapping: str) -> dict[str, Any]:
    """Return `name` and, as far as known, `id`, `image`, `labels`, `pod`, `namespace`; empty if the name is unknown.

    path: where the log file was found.   wrapping: DOCKER or CRI.
    """
    return {DOCKER: _docker, CRI: _cri}[wrapping](path)


class _Config(msgspec.Struct):
    labels: dict[str, str] | None = msgspec.field(name="Labels", default=None)
    image: str = msgspec.field(name="Image", default="")


class _Container(msgspec.Struct):
    """The part of Docker's config.v2.json that is used."""

    name: str = msgspec.field(name="Name", default="")
    config: _Config = msgspec.field(name="Config", default_factory=_Config)


def _docker(path: str) -> dict[str, Any]:
    found = _DOCKER.search(path)
    if found is None:
        return {}
    try:
        content = Path(path).with_name("config.v2.json").read_bytes()
        described = msgspec.json.decode(content, type=_Container)
    except (OSError, msgspec.DecodeError):  # this user may not read it, or it has another form; the path is enough
        described = _Container()
    labels = described.config.labels or {}
    container: dict[str, Any] = {"name": described.name.lstrip("/") or found[1][:12], "id": found[1][:12]}
    if described.config.image:
        container["image"] = described.config.image
    if labels and len(msgspec.json.encode(labels)) <= _MAX_LABELS:
        container["labels"] = labels
    elif COMPOSE_SERVICE in labels:
        container["labels"] = {COMPOSE_SERVICE: labels[COMPOSE_SERVICE]}
    return container


def _cri(path: str) -> dict[str, Any]:
    if found := _PODS.search(os.path.realpath(path)):
        namespace, pod, _, name = found.groups()
        return {"name": name, "pod": pod, "namespace": namespace}
    if found := _CONTAINERS.search(path):
        pod, namespace, name, identity = found.groups()
        return {"name": name, "pod": pod, "namespace": namespace, "id": identity[:12]}
    return {}
