"""Validate documents: convert them to models, and the errors of pydantic to mistakes with places and remedies."""

from __future__ import annotations

import typing
from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from logrouter.config.document import Document, KeyPath
from logrouter.config.mistakes import Mistake, did_you_mean

_MOST = 100
"""Mistakes in one value: to find the closest known word takes time for each."""

_WORDING = (
    ("Input should be", "this must be"),
    ("a valid string", "text"),
    ("a valid boolean", "true or false"),
    ("a valid integer", "an integer"),
    ("a valid ", "a "),
)
"""Phrases of pydantic, and what a user reads instead."""


class Strict(BaseModel):
    """A frozen model that rejects unknown keys and does not convert types.

    Its validator is built at the first use, because a configuration uses few of the models.
    """

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, populate_by_name=True, hide_input_in_errors=True, defer_build=True
    )


Model = TypeVar("Model", bound=BaseModel)


def validate(document: Document, model: type[Model], data: Any = None, at: KeyPath = ()) -> Model | None:
    """Return the model of `data`; None, and add mistakes to the document, if it is invalid.

    data: the default is the whole document.   at: the path of `data` in the document.
    """
    given = document.data if data is None and not at else data
    try:
        return model.model_validate({} if given is None and not at else given)
    except ValidationError as error:
        found = error.errors(include_url=False)
        places = {mistake.place for mistake in document.mistakes}  # a value that is not plain is of the wrong type too
        mistakes = [_mistake(document, model, at, dict(each)) for each in found[:_MOST]]
        document.mistakes.extend(mistake for mistake in mistakes if mistake.place not in places)
        if len(found) > _MOST:
            more = f"there are {len(found) - _MOST} more mistakes from here on"
            document.mistakes.append(Mistake(document.place((*at, *found[_MOST]["loc"])), more))
        return None


def _mistake(document: Document, model: type[BaseModel], at: KeyPath, found: Mapping[str, Any]) -> Mistake:
    path = (*at, *found["loc"])
    kind, context = found["type"], found.get("ctx", {})
    if kind == "extra_forbidden":
        known = known_keys(model, found["loc"][:-1])
        problem = f"`{path[-1]}` is not a valid key here"
        return Mistake(document.key_place(path), problem, did_you_mean(str(path[-1]), known))
    if kind == "missing":
        return Mistake(document.place(path), f"`{path[-1]}` is missing")
    if kind in ("value_error", "assertion_error"):
        problem, _, remedy = str(context["error"]).partition("\n")
        return Mistake(document.place(path), problem, remedy)
    if kind in ("literal_error", "enum"):
        return Mistake(document.place(path), f"this must be {context['expected']}")
    if kind in ("dict_type", "model_type"):
        return Mistake(document.place(path), "this must be a mapping of keys to values")
    message = found["msg"]
    for phrase, replacement in _WORDING:
        message = message.replace(phrase, replacement)
    is_unquoted = kind == "string_type" and isinstance(found.get("input"), int | float)
    return Mistake(document.place(path), message, "quote it" if is_unquoted else "")


def known_keys(model: type[BaseModel], path: KeyPath) -> set[str]:
    """Return the keys that a model has at `path`, found by walking its annotations."""
    current: Any = model
    for step in path:
        current = _child(_model(current), step)
    found = _model(current)
    return {field.alias or name for name, field in found.model_fields.items()} if found else set()


def _model(annotation: Any) -> type[BaseModel] | None:
    """Return the first model in an annotation, such as `list[Model]`, `Model | None` or `Annotated[Model, ...]`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for part in typing.get_args(annotation) if (found := _model(part))), None)


def _child(model: type[BaseModel] | None, step: str | int) -> Any:
    """Return the annotation of a key of a model; for an index, which is that of a list, the model itself."""
    if model is None or isinstance(step, int):
        return model
    fields = model.model_fields.items()
    return next((field.annotation for name, field in fields if step in (name, field.alias)), None)
