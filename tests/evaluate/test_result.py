"""Pooling over runs: runs without a value stay visible."""

from __future__ import annotations

import pytest

from procvid.evaluate.result import MetricItem, from_items, not_applicable, pooled, unavailable


def ok(value: float, coverage: float):
    items = [MetricItem("step 1", value), MetricItem("step 2", None, "not found")]
    return from_items("m", "higher", items, backbone="b", parts={"coverage": coverage})


def test_a_run_without_a_value_keeps_its_coverage():
    none = from_items(
        "m", "higher", [MetricItem("step 1", None, "gone")], backbone="b", parts={"coverage": 0.0}
    )
    both = pooled([("one", ok(0.8, 1.0)), ("two", none)])
    assert both.value == 0.8 and both.state == "ok"
    assert both.parts == {"coverage": 0.5, "run_coverage": 0.5}
    assert both.null_share == pytest.approx(2 / 3)


def test_a_run_in_which_a_metric_was_unavailable_becomes_an_item():
    both = pooled([("one", ok(0.8, 1.0)), ("two", unavailable("m", "higher", "no weights"))])
    assert both.items[-1] == MetricItem("two", None, "unavailable: no weights")
    assert both.parts["run_coverage"] == 0.5 and both.null_share == pytest.approx(2 / 3)
    assert both.to_json()["null_share"] > 0


def test_without_any_value_every_reason_is_reported():
    results = [
        ("one", unavailable("m", "higher", "x")),
        ("two", not_applicable("m", "higher", "y")),
    ]
    none = pooled(results)
    assert none.value is None and none.parts == {"run_coverage": 0.0}
    assert [item.note for item in none.items] == ["unavailable: x", "not applicable: y"]


def test_run_coverage_is_left_out_if_every_run_has_a_value():
    assert "run_coverage" not in pooled([("one", ok(0.8, 1.0)), ("two", ok(0.6, 0.5))]).parts
