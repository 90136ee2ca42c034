"""Documents -> models: what pydantic finds wrong becomes mistakes with places and remedies.

In come a Document and a model class, out comes an instance, or None with the mistakes added to the document's.
"""

from __future__ import annotations

import typing
from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from logrouter.config.document import Document, Path_
from logrouter.config.mistakes import Mistake, did_you_mean


class Strict(BaseModel):
    """A frozen model that knows all its keys and turns no number into a text."""

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, populate_by_name=True, hide_input_in_errors=True
    )


Model = TypeVar("Model", bound=BaseModel)


def validate(document: Document, model: type[Model], data: Any = None, at: Path_ = ()) -> Model | None:
    """The model of `data` (default: the whole document), which stands at `at`; None if anything is wrong with it."""
    given = document.data if data is None and not at else data
    try:
        return model.model_validate({} if given is None and not at else given)
    except ValidationError as error:
        document.mistakes.extend(_mistake(document, model, at, dict(found)) for found in error.errors())
        return None


def _mistake(document: Document, model: type[BaseModel], at: Path_, found: Mapping[str, Any]) -> Mistake:
    path = (*at, *found["loc"])
    kind, context = found["type"], found.get("ctx", {})
    if kind == "extra_forbidden":
        known = known_keys(model, found["loc"][:-1])
        return Mistake(document.key_place(path), f"`{path[-1]}` is no key here", did_you_mean(str(path[-1]), known))
    if kind == "missing":
        return Mistake(document.place(path), f"`{path[-1]}` is missing")
    if kind in ("value_error", "assertion_error"):
        problem, _, remedy = str(context["error"]).partition("\n")
        return Mistake(document.place(path), problem, remedy)
    if kind in ("literal_error", "enum"):
        return Mistake(document.place(path), f"expected {context['expected']}")
    message = found["msg"].replace("Input should be", "this should be").replace("valid dictionary", "mapping of keys")
    return Mistake(document.place(path), message)


def known_keys(model: type[BaseModel], path: Path_) -> set[str]:
    """The keys that a model has at `path`, by walking its annotations."""
    current: Any = model
    for step in path:
        current = _child(current, step)
    if isinstance(current, type) and issubclass(current, BaseModel):
        return {field.alias or name for name, field in current.model_fields.items()}
    return set()


def _child(annotation: Any, step: str | int) -> Any:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        for name, field in annotation.model_fields.items():
            if step in (name, field.alias):
                return field.annotation
        return None
    for part in typing.get_args(annotation):
        if isinstance(part, type) and issubclass(part, BaseModel):
            return part
        if typing.get_args(part):
            return _child(part, step)
    return None
