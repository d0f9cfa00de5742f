"""Call the events of the page as Gradio does."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from typing import Any

import gradio as gr

Events = dict[str, Callable[..., Any]]


def events_of(app: gr.Blocks) -> Events:
    """Return the handlers by name; a dict by component becomes a tuple in the order of the outputs.

    A component without a new value gets `None`. An event with one output returns its value.
    """
    return {f.name: _ordered(f.fn, f.outputs) for f in app.fns.values() if f.fn is not None}


def _ordered(handler: Callable[..., Any], outputs: list[Any]) -> Callable[..., Any]:
    def arranged(result: Any) -> Any:
        if not isinstance(result, dict) or not set(result) & set(outputs):
            return result
        assert set(result) <= set(outputs), "a component is not among the event's outputs"
        values = tuple(result.get(each) for each in outputs)
        return values[0] if len(outputs) == 1 else values

    def stream(*args: Any, **kwargs: Any) -> Iterator[Any]:
        for result in handler(*args, **kwargs):
            yield arranged(result)

    def call(*args: Any, **kwargs: Any) -> Any:
        return arranged(handler(*args, **kwargs))

    return stream if inspect.isgeneratorfunction(handler) else call
