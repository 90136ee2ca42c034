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

_MOST = 100
"""Mistakes of one value; to find what was meant takes a while for each."""


class Strict(BaseModel):
    """A frozen model that knows all its keys and turns no number into a text.

    It is built when it is first used: a configuration has few of the kinds that there are.
    """

    model_config = ConfigDict(
        frozen=True, extra="forbid", strict=True, populate_by_name=True, hide_input_in_errors=True, defer_build=True
    )


Model = TypeVar("Model", bound=BaseModel)


def validate(document: Document, model: type[Model], data: Any = None, at: Path_ = ()) -> Model | None:
    """The model of `data` (default: the whole document), which stands at `at`; None if anything is wrong with it."""
    given = document.data if data is None and not at else data
    try:
        return model.model_validate({} if given is None and not at else given)
    except ValidationError as error:
        found = error.errors(include_url=False)
        said = {mistake.place for mistake in document.mistakes}  # what is no value is none of this kind either
        mistakes = [_mistake(document, model, at, dict(each)) for each in found[:_MOST]]
        document.mistakes.extend(mistake for mistake in mistakes if mistake.place not in said)
        if len(found) > _MOST:
            more = f"there are {len(found) - _MOST} more mistakes behind this"
            document.mistakes.append(Mistake(document.place((*at, *found[_MOST]["loc"])), more))
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
    is_unquoted = kind == "string_type" and isinstance(found.get("input"), int | float)
    return Mistake(document.place(path), message, "quote it" if is_unquoted else "")


def known_keys(model: type[BaseModel], path: Path_) -> set[str]:
    """The keys that a model has at `path`, by walking its annotations."""
    current: Any = model
    for step in path:
        current = _child(_model(current), step)
    found = _model(current)
    return {field.alias or name for name, field in found.model_fields.items()} if found else set()


def _model(annotation: Any) -> type[BaseModel] | None:
    """The first model within an annotation: of `list[Model]`, `Model | None`, `Annotated[Model, ...]` that is Model."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for part in typing.get_args(annotation) if (found := _model(part))), None)


def _child(model: type[BaseModel] | None, step: str | int) -> Any:
    """What stands under a key of a model; under an index, which is of a list, the model itself."""
    if model is None or isinstance(step, int):
        return model
    fields = model.model_fields.items()
    return next((field.annotation for name, field in fields if step in (name, field.alias)), None)
