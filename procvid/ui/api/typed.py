"""Add an endpoint whose parameters and answer have a type, a name and a description."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, get_type_hints

import gradio as gr
from gradio.blocks import Block
from gradio.components.api_component import Api
from gradio.context import get_blocks_context
from gradio.utils import get_function_description
from pydantic import TypeAdapter

from procvid.ui.server.guard import guarded

NULL = {"type": "null"}


def endpoint(handler: Callable[..., Any], answer: type, **queue: Any) -> None:
    """Add an endpoint to the enclosing Blocks, named after its function.

    The API page, `client.view_api()` and MCP show the function's docstring, the description of each
    parameter under "Parameters:", and the fields of the answer.

    Args:
        handler: The function, or a generator function for a stream. Every parameter is annotated.
        answer: A TypedDict: the answer, or the last event of a stream.
        queue: Further arguments of `gr.api`.
    """
    call = guarded(handler)
    # Gradio reads the answer's type here. It would take a name in quotes, or an iterator, for "any".
    call.__annotations__ = get_type_hints(handler) | {"return": answer}
    made = gr.api(call, api_name=handler.__name__, **queue)
    context = get_blocks_context()
    assert context is not None
    _, parameters, _ = get_function_description(handler)
    names = [name for name in parameters if name != "request"]
    for name, component in zip(names, _components(context.blocks, made["inputs"]), strict=True):
        component.label = name
        schema = _without_null(component.api_info())
        component._api_info = {**schema, "additional_description": parameters[name]}
    for component in _components(context.blocks, made["outputs"]):
        component.label = _words(answer.__name__)
        component._api_info = answer_schema(answer)


def answer_schema(answer: type) -> dict[str, Any]:
    """Return the JSON schema of an answer. Each object has its name as title and in its description."""
    whole = TypeAdapter(answer).json_schema(mode="serialization")
    for schema in (whole, *whole.get("$defs", {}).values()):
        text = " ".join(schema.get("description", "").split("\n\n")[0].split())
        schema["description"] = f"{schema['title']}: {text}" if text else schema["title"]
        for field in schema.get("properties", {}).values():
            # The titles of fields only repeat their names.
            field.pop("title", None)
            named = [ref.rsplit("/", 1)[-1] for ref in _references(field)]
            if named and "description" not in field:
                field["description"] = named[0]
    return whole


def _components(blocks: Mapping[int, Block], ids: Sequence[int]) -> Iterator[Api]:
    for number in ids:
        component = blocks[number]
        assert isinstance(component, Api)
        yield component


def _without_null(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return the schema of an optional parameter without null, which its default of None adds."""
    kinds = [kind for kind in schema.get("oneOf", []) if kind != NULL]
    return dict(kinds[0] if len(kinds) == 1 else schema)


def _references(schema: object) -> Iterator[str]:
    if isinstance(schema, Mapping):
        if isinstance(schema.get("$ref"), str):
            yield schema["$ref"]
        for value in schema.values():
            yield from _references(value)
    elif isinstance(schema, list):
        for value in schema:
            yield from _references(value)


def _words(name: str) -> str:
    """ "PlanAnswer" becomes "plan_answer"."""
    return "".join("_" + c.lower() if c.isupper() else c for c in name).lstrip("_")
