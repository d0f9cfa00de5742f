"""The task graph: what each step needs, the longest way, what looks wrong, and the picture."""

from __future__ import annotations

import json
from dataclasses import replace
from xml.etree import ElementTree

import pytest

from procvid.cli import main
from procvid.plan.codec import plan_from_json
from procvid.plan.graph.graph import TaskGraph, task_graph
from procvid.plan.graph.picture import described, duration, page_of, svg_of
from procvid.plan.graph.times import minutes_of
from procvid.plan.recipe.parse import parse_recipe
from procvid.plan.rules import plan_recipe
from procvid.plan.shots import cut_into_shots, with_recipe_steps
from procvid.run.folder import RunFolder, read_run
from procvid.types import Plan

PASTA = """Spaghetti with tomato sauce

1. Bring a large pot of water to the boil and cook the spaghetti for 9 minutes.
2. Meanwhile, chop the onion and garlic.
3. Heat the olive oil in a frying pan and fry the onion for 5 minutes.
4. Add the garlic and the tomatoes and simmer for 15 minutes.
5. Grate the parmesan.
6. Drain the spaghetti and toss it with the sauce.
7. Serve on plates, sprinkled with the parmesan.
"""


def plan_of(text: str) -> Plan:
    recipe = cut_into_shots(parse_recipe(text))
    return with_recipe_steps(plan_recipe(recipe), recipe)


def edges(graph: TaskGraph) -> str:
    return " ".join(f"{edge.before}-{edge.after}" for edge in graph.edges)


def graph_of(*steps: str) -> TaskGraph:
    numbered = "\n".join(f"{n}. {step}" for n, step in enumerate(steps, start=1))
    return task_graph(plan_of(f"Dinner\n\n{numbered}\n"))


def test_a_step_needs_what_an_earlier_one_made():
    graph = task_graph(plan_of(PASTA))
    assert edges(graph) == "1-6 2-3 3-4 4-6 5-7 6-7"
    assert graph.needs("3")[0].things == ("onion",)
    assert graph.critical_path == ("2", "3", "4", "6", "7") and graph.beside == ("1", "5")
    assert graph.minutes["4"] == 15 and graph.total_min == 2 + 5 + 15 + 2 + 2
    assert described(graph).endswith("about 26 min. Beside it, ahead or meanwhile: 1, 5.")
    assert not graph.notes


def test_shots_are_nodes_on_request():
    graph = task_graph(plan_of(PASTA), shots=True)
    assert "1a-1b" in edges(graph) and "1b-6a" in edges(graph) and "3b-4a" in edges(graph)


@pytest.mark.parametrize(
    ("steps", "wanted"),
    [
        # A prepared tin and a hot oven are needed by the step that uses them.
        (
            ("Preheat the oven to 180 C.", "Grease a cake tin.", "Whisk the eggs and the flour in a bowl.",
             "Pour the batter into the tin.", "Bake for 30 minutes."),
            "1-5 2-4 3-4 4-5",
        ),
        # What became the sauce, the mixture, the dressing.
        (
            ("Mix the yogurt and the cucumber in a bowl.", "Grill the chicken.",
             "Serve the chicken with the sauce."),
            "1-3 2-3",
        ),
        # A new helping of a staple is no need.
        (
            ("Fry the onions in olive oil in a frying pan.", "Rub the chicken with olive oil.",
             "Grill the chicken.", "Serve the chicken with the onions."),
            "1-4 2-3 3-4",
        ),
        # Headings make nothing.
        (("For the salad", "Slice the cucumber.", "Toss the cucumber with the oil."), "2-3"),
        # What happens beside it is not taken.
        (
            ("Bake the potatoes for 40 minutes.", "While the potatoes bake, whisk the mustard and vinegar.",
             "Toss the potatoes with the dressing."),
            "1-3 2-3",
        ),
    ],
)  # fmt: skip
def test_kinds_of_needs(steps, wanted):
    assert edges(graph_of(*steps)) == wanted


def test_what_is_made_and_never_used_is_a_note():
    graph = graph_of(
        "Heat the oil in a pot.", "Slice the carrot.", "Fry the carrot in the frying pan."
    )
    assert edges(graph) == "2-3" and not graph.notes, "staples are not asked for"
    graph = graph_of("Mash the potatoes.", "Slice the carrot.", "Fry the carrot in the frying pan.")
    assert graph.notes == ("No later step takes the potato of step 1.",)


def test_names_with_braces_are_names():
    plan = plan_of("Dinner\n\n1. Mash the potatoes.\n2. Slice the carrot.\n3. Fry the carrot.\n")
    odd = [replace(item, name="{odd} {0}") for item in plan.steps[0].objects if item.role == "food"]
    steps = (replace(plan.steps[0], objects=tuple(odd)), *plan.steps[1:])
    graph = task_graph(replace(plan, steps=steps))
    assert graph.notes == ("No later step takes the {odd} {0} of step 1.",)
    assert "{odd}" in page_of(graph, plan.title)


def test_what_is_used_before_it_is_made_is_a_note():
    graph = graph_of(
        "Drizzle the dressing over the plate.", "Make the dressing with oil and vinegar."
    )
    assert "Step 1 takes the dressing, which step 2 makes later." in graph.notes


@pytest.mark.parametrize(
    ("text", "minutes"),
    [
        ("Fry for 5 minutes.", 5.0),
        ("Cook for 5 - 8 minutes, then rest for 10 min.", 16.5),
        ("Bake 1½ hours.", 90.0),
        ("Simmer for half an hour.", 30.0),
        ("Chill overnight.", 480.0),
        ("Wait for 30 seconds.", 0.5),
        ("Cook for 1/2 hour, then 1 1/4 hours.", 105.0),
        ("Cook 3/0 hours.", 0.0),
        ("Rest for 1000000000000 hours.", 10_080.0),
        ("Chill for several hours.", 240.0),
        ("Bake for 1.5 to 2.5 hrs", 120.0),
        ("Cut into 4 pieces of 2 cm.", None),
        ("", None),
    ],
)
def test_times_are_read(text, minutes):
    assert minutes_of(text) == minutes


def test_durations_are_words():
    assert [duration(m) for m in (0.5, 12, 60, 125)] == ["1 min", "12 min", "1 h", "2 h 5 min"]


def test_the_picture_shows_every_step_below_what_it_needs():
    graph = task_graph(plan_of(PASTA.replace("parmesan", "<parmesan> & co")))
    root = ElementTree.fromstring(svg_of(graph))
    space = "{http://www.w3.org/2000/svg}"
    tops = {}
    for box in root.iter(f"{space}g"):
        rect, name = box.find(f"{space}rect"), box.find(f"{space}text")
        tops[name.text] = float(rect.get("y"))
        assert float(rect.get("x")) + float(rect.get("width")) <= float(root.get("width"))
    assert set(tops) == set(graph.steps)
    assert all(tops[edge.before] < tops[edge.after] for edge in graph.edges)
    page = page_of(graph, "A <b> title")
    assert "A &lt;b&gt; title" in page and "<b>" not in page


def test_a_recipe_of_one_step_has_a_graph():
    graph = graph_of("Slice the carrot.")
    assert (graph.edges, graph.critical_path, graph.beside) == ((), ("1",), ())
    assert svg_of(graph).startswith("<svg")


def test_the_command(tmp_path, capsys, quick_models):
    recipe = tmp_path / "pasta.txt"
    recipe.write_text(PASTA)
    page = tmp_path / "graph.html"
    assert main(["graph", str(recipe), "--html", str(page)]) == 0
    said = capsys.readouterr().out
    assert "3. Heat the olive oil" in said and "   needs 2: onion\n" in said
    assert "<svg" in page.read_text("utf-8")
    assert main(["graph", str(recipe), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["critical_path"] == ["2", "3", "4", "6", "7"]
    short = tmp_path / "short.txt"
    short.write_text("Carrots\n1. Slice the carrot on the board.\n2. Fry the carrot in the pan.\n")
    run = tmp_path / "run"
    assert main(["generate", str(short), "--out", str(run), "--steps", "1"]) == 0
    assert main(["graph", str(run)]) == 0
    assert "needs 1: carrot" in capsys.readouterr().out
    stored = json.loads((run / "plan.json").read_text())
    assert stored["graph"]["edges"] == [{"before": "1", "after": "2", "things": ["carrot"]}]
    # It follows from the steps, so an edited one counts for nothing.
    stored["graph"]["edges"].append({"before": "2", "after": "1", "things": []})
    assert plan_from_json(stored) == RunFolder(run, read_run(run)).read_plan()
    assert main(["graph", str(tmp_path / "nothing.txt")]) == 2
    assert main(["graph", str(tmp_path)]) == 2
    assert "There is no run in" in capsys.readouterr().err


def test_a_vessel_that_still_holds_something_is_a_note():
    """The rules planner shows what lies in a vessel, another planner or an edit may not."""
    plan = plan_of(
        "Dinner\n\n1. Whisk the eggs in a bowl.\n2. Slice the cucumber on the cutting board.\n"
        "3. Toss the cucumber in the bowl.\n4. Fry the eggs in a frying pan.\n"
    )
    third = plan.steps[2]
    objects = tuple(item for item in third.objects if item.name != "egg")
    steps = (*plan.steps[:2], replace(third, objects=objects), *plan.steps[3:])
    graph = task_graph(replace(plan, steps=steps))
    assert "Step 3 uses the bowl, which still holds the egg of step 1." in graph.notes
