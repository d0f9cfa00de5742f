"""Several takes of each step within a run: the best is kept, verified, and resumed after a cut.

Clips are noise (`quick_models`).
"""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Mapping
from contextlib import closing
from pathlib import Path

import pytest

from procvid.cli import main
from procvid.errors import InputError, RunError
from procvid.events import ClipReady, Event, Progress, TakeReady, Warned
from procvid.media.video import read_metadata
from procvid.run import best_of
from procvid.run.best_of import FINAL
from procvid.run.folder import RunFolder, read_run
from procvid.run.generate import step_seed
from procvid.run.preferences import allow_training, preferences_of, write_preferences
from procvid.run.retakes import choose_take
from procvid.run.story import make_video, regenerate_step
from procvid.run.takes import MAX_AT_ONCE, Take, score_words, takes_of, write_verdict
from procvid.run.timings import ClipSetting, measured, read_samples
from procvid.train.lora.folder import read_training_folder
from procvid.types import (
    Frames,
    Image,
    Recipe,
    StepChanges,
    StepPlan,
    TakePolicy,
    TakeVerdict,
)
from procvid.wiring import run as wiring
from tests.run.making import RECIPE, REQUEST, PixelJudge, conditioning, hashes, of

pytestmark = pytest.mark.usefixtures("quick_models")

SHORT = dataclasses.replace(REQUEST, recipe=dataclasses.replace(RECIPE, steps=RECIPE.steps[:2]))
"""A request for two clips."""


def best_of_n(takes: int, repeats: int = 0, budget_s: float | None = None):
    return dataclasses.replace(SHORT, takes=TakePolicy(takes, repeats, budget_s))


def takes(folder: Path, step: int) -> list[Take]:
    return takes_of(RunFolder(folder, read_run(folder)), step)


def made_anew(events: list[Event]) -> int:
    """Return the number of clips that were generated."""
    return sum(event.done == event.total for event in of(Progress, events))


@pytest.fixture(scope="module")
def parts(quick_models):
    return wiring.build()


@pytest.fixture(scope="module")
def plain(parts, tmp_path_factory) -> Path:
    """A run with one take per step; tests must not change it."""
    folder = tmp_path_factory.mktemp("plain") / "run"
    list(make_video(SHORT, parts, folder))
    return folder


@pytest.fixture(scope="module")
def best(parts, tmp_path_factory) -> tuple[Path, list[Event]]:
    """A run with the best of three takes per step; tests must not change it."""
    folder = tmp_path_factory.mktemp("best") / "run"
    return folder, list(make_video(best_of_n(3), parts, folder, judge=PixelJudge()))


def test_the_best_take_of_each_step_is_kept(best, plain):
    folder, events = best
    for step in (1, 2):
        found = takes(folder, step)
        scores = [take.score for take in found]
        assert [take.current for take in found] == [score == max(scores) for score in scores]
        seeds = [step_seed(5, step), step_seed(5, step, 1), step_seed(5, step, 2)]
        assert [take.seed for take in found] == seeds
        assert conditioning(folder, step)["clip_sha256"] == max(found, key=lambda t: t.score).sha256
    assert [(t.done, t.total) for t in of(TakeReady, events)] == [(1, 3), (2, 3), (3, 3)] * 2
    assert len(of(ClipReady, events)) == 2 and made_anew(events) == 6
    progress = [event for event in of(Progress, events) if event.eta_s is not None]
    assert progress[-1].eta_s == 0 and progress[0].eta_s > progress[-2].eta_s
    # The first take of the first step is the clip of a run with one take.
    assert takes(folder, 1)[0].sha256 == conditioning(plain, 1)["clip_sha256"]


def test_takes_and_scores_are_in_the_records(best):
    folder, _ = best
    state = json.loads((folder / "run.json").read_text())
    assert state["request"]["takes"] == {"best_of": 3, "repeats": 0, "budget_s": None}
    listed = state["steps"][1]["takes"]
    assert [entry["parts"] for entry in listed] == [{"pixels": e["score"]} for e in listed]
    facts = json.loads(read_metadata(folder / "video.mp4")["procvid"])
    assert facts["take_policy"] == "the best of 3 takes per step"
    kept = next(entry["number"] for entry in listed if entry["current"])
    assert json.loads(facts["request"])["takes"]["best_of"] == 3
    scores = {str(entry["number"]): entry["score"] for entry in listed}
    assert json.loads(facts["takes"])["2"] == {"kept": kept, "scores": scores}
    first = takes(folder, 1)[0]
    assert score_words(first) == f"{first.score:.2f} (pixels {first.score:.2f})"


def rows_of(folder: Path, runs: list[Path], margin: float = 0.0) -> list[dict]:
    pairs = [
        pair for path in runs for pair in preferences_of(RunFolder(path, read_run(path)), margin)
    ]
    write_preferences(folder, pairs)
    return [json.loads(line) for line in (folder / "metadata.jsonl").read_text().splitlines()]


def test_the_judge_prefers_the_best_take_to_the_worst(best, tmp_path):
    folder, _ = best
    rows = rows_of(tmp_path / "pairs", [folder])
    for step, row in enumerate(rows, start=1):
        found = sorted(takes(folder, step), key=lambda take: take.score)
        assert (row["score"], row["rejected_score"]) == (found[-1].score, found[0].score)
        clip = tmp_path / "pairs" / row["file_name"]
        assert clip.read_bytes() == found[-1].clip.read_bytes()
        assert (row["text"], row["by"]) == (found[0].prompt, "judge")
    assert len(rows) == 2
    data = read_training_folder(tmp_path / "pairs")
    assert [len(example.references) for example in data.examples] == [
        len(takes(folder, step)[0].references) for step in (1, 2)
    ]
    assert not data.missing and all(example.rejected for example in data.examples)
    with pytest.raises(RunError, match="No step has two takes"):
        rows_of(tmp_path / "none", [folder], margin=1.0)
    assert not (tmp_path / "none").exists()


def test_a_choice_of_a_person_counts_more_than_the_judge(best, parts, tmp_path):
    folder = shutil.copytree(best[0], tmp_path / "run")
    worst = min(takes(folder, 1), key=lambda take: take.score)
    list(choose_take(folder, 1, worst.number, parts))
    shutil.rmtree(folder / "takes" / "02")
    rows = rows_of(tmp_path / "pairs", [folder])
    assert [row["by"] for row in rows] == ["person", "person"]
    assert {row["score"] for row in rows} == {worst.score}
    assert len(read_training_folder(tmp_path / "pairs").examples) == 2
    # Clips of other prompts, and those with a file of another place, are not compared.
    others = [take for take in takes(folder, 1) if take.sha256 != worst.sha256]
    record = others[0].folder / "conditioning.json"
    record.write_text(json.dumps({**json.loads(record.read_text()), "prompt": "Another."}))
    record = others[1].folder / "conditioning.json"
    outside = json.loads(record.read_text())
    outside["references"][0]["file"] = "../../../run.json"
    record.write_text(json.dumps(outside))
    with pytest.raises(RunError, match="No step has two takes"):
        rows_of(tmp_path / "none", [folder])


def test_the_judge_ranks_takes_as_the_run_does(best, tmp_path):
    folder = shutil.copytree(best[0], tmp_path / "run")
    shutil.rmtree(folder / "takes" / "02")
    first, second, third = sorted(takes(folder, 1), key=lambda take: -take.score)
    write_verdict(first, TakeVerdict(first.score, "", {}, ("no pan is seen",)))
    (row,) = rows_of(tmp_path / "one", [folder])
    assert (row["score"], row["rejected_score"]) == (second.score, third.score)
    # The final judge saw two; the third keeps its first score.
    write_verdict(first, TakeVerdict((first.score + 0.1) / 2, "", {FINAL: 0.1}))
    write_verdict(second, TakeVerdict((second.score + 0.9) / 2, "", {FINAL: 0.9}))
    (row,) = rows_of(tmp_path / "two", [folder])
    assert row["score"] == (second.score + 0.9) / 2 and row["rejected_score"] == third.score
    (first.folder / "take.json").write_text('{"score": NaN, "reason": ""}')
    assert next(take for take in takes(folder, 1) if take.number == first.number).verdict is None


def test_training_needs_the_word_of_the_maker(best, tmp_path, capsys):
    folder = shutil.copytree(best[0], tmp_path / "run")
    out = tmp_path / "pairs"
    command = ["preferences", str(folder), str(best[0]), "--out", str(out), "--margin", "0"]
    assert main(command) == 2
    assert "None of these runs may be used for training." in capsys.readouterr().err
    allow_training(folder, True)
    assert main(command) == 0
    assert (
        "2 pairs: 0 by a person, 2 by the judge.\nNote: 1 run was left out"
        in capsys.readouterr().out
    )
    assert main(command) == 2 and "already exists" in capsys.readouterr().err
    assert main([*command[:-3], str(folder / "pairs")]) == 2
    assert "lies in a run" in capsys.readouterr().err
    assert main(["preferences", "nowhere", *command[1:]]) == 2
    assert "There is no run in" in capsys.readouterr().err
    allow_training(folder, False)
    allow_training(folder, False)
    assert main([*command[:-3], str(tmp_path / "own"), *command[-2:], "--own", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["judge"] == 2, "a copy is the same pair"
    assert main([*command[:-1], "2"]) == 2 and "out of range" in capsys.readouterr().err


def test_one_take_is_the_run_of_before(parts, plain, tmp_path):
    judge = PixelJudge()
    list(make_video(best_of_n(1), parts, tmp_path / "run", judge=judge))
    assert hashes(tmp_path / "run") == hashes(plain) and judge.seen == 0
    assert "takes" not in json.loads((plain / "run.json").read_text())["request"]
    assert not (plain / "takes").exists()


@pytest.mark.parametrize("cut_after", [1, 4])
def test_a_run_cut_off_between_takes_ends_with_the_same_bytes(best, parts, tmp_path, cut_after):
    folder = tmp_path / "run"
    with closing(make_video(best_of_n(3), parts, folder, judge=PixelJudge())) as events:
        ready = 0
        for event in events:
            ready += isinstance(event, TakeReady)
            # In the middle of the next take.
            if ready == cut_after and isinstance(event, Progress):
                break
    assert not (folder / "video.mp4").exists()
    judge = PixelJudge()
    again = list(make_video(best_of_n(3), parts, folder, judge=judge))
    assert made_anew(again) == judge.seen == 6 - cut_after
    assert hashes(folder) == hashes(best[0])
    assert list(make_video(best_of_n(3), parts, folder, judge=judge))[-1].nothing_to_do


@pytest.mark.parametrize("moment", ["write_verdict", "restore"])
def test_a_kill_before_the_choice_loses_no_take(best, parts, tmp_path, monkeypatch, moment):
    folder = tmp_path / "run"

    def killed(*args):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(best_of, moment, killed)
        with pytest.raises(KeyboardInterrupt):
            list(make_video(best_of_n(3), parts, folder, judge=PixelJudge()))
    (folder / "takes/01/.2.99999999.tmp").mkdir()
    again = list(make_video(best_of_n(3), parts, folder, judge=PixelJudge()))
    assert made_anew(again) == (5 if moment == "write_verdict" else 3)
    assert hashes(folder) == hashes(best[0])


def test_a_damaged_take_is_made_again(best, parts, tmp_path):
    folder = Path(shutil.copytree(best[0], tmp_path / "run"))
    shutil.rmtree(folder / "steps/02")
    (folder / "takes/02/1/clip.mp4").write_bytes(b"x")
    again = list(make_video(best_of_n(3), parts, folder, judge=PixelJudge()))
    assert made_anew(again) == 1
    assert hashes(folder / "steps") == hashes(best[0] / "steps")


def test_another_number_of_takes_is_another_request(best, parts):
    folder, _ = best
    for request, message in (
        (best_of_n(2), "keeps the best of 3 takes per step there, but the best of 2 takes"),
        (SHORT, "but one take per step in this request"),
        (best_of_n(3, repeats=1), "up to 1 more if it contradicts the plan in this request"),
    ):
        with pytest.raises(RunError, match=message):
            list(make_video(request, parts, folder))
    assert list(make_video(best_of_n(3, budget_s=9.0), parts, folder))[-1].nothing_to_do


@pytest.mark.parametrize(
    "policy",
    [TakePolicy(0), TakePolicy(MAX_AT_ONCE + 1), TakePolicy(100), TakePolicy(1, 9),
     TakePolicy(2, 0, 0.0), TakePolicy(2, 0, -1.0), TakePolicy(2, 0, float("inf"))],
)  # fmt: skip
def test_a_wrong_policy_is_refused_before_the_folder_is_made(parts, tmp_path, policy):
    with pytest.raises(InputError, match="out of range"):
        list(make_video(dataclasses.replace(SHORT, takes=policy), parts, tmp_path / "run"))
    assert not (tmp_path / "run").exists()


def test_a_take_that_contradicts_the_plan_is_made_again(parts, plain, tmp_path):
    scores = []
    judge = PixelJudge(lambda score: len(scores) < 2 and not scores.append(score))
    folder = tmp_path / "run"
    events = list(make_video(best_of_n(1, repeats=3), parts, folder, judge=judge))
    # The first two takes of step 1 contradict the plan; the third one does not.
    assert [take.current for take in takes(folder, 1)] == [False, False, True]
    assert takes(folder, 1)[0].contradictions == ("no frying pan is seen",)
    assert [take.current for take in takes(folder, 2)] == [True]
    warned = [w for w in of(Warned, events) if "Made again" in w.message]
    assert [w.step for w in warned] == [1, 1] and "take" in warned[0].message
    assert "no frying pan is seen" in warned[0].message
    assert list(make_video(best_of_n(1, repeats=3), parts, folder, judge=judge))[-1].nothing_to_do


def test_takes_that_all_contradict_the_plan_end_with_a_warning(parts, tmp_path):
    folder = tmp_path / "run"
    judge = PixelJudge(lambda score: True)
    events = list(make_video(best_of_n(2, repeats=1), parts, folder, judge=judge))
    found = takes(folder, 1)
    assert len(found) == 3 and max(found, key=lambda take: take.score).current
    ends = [w.message for w in of(Warned, events) if w.message.startswith("The best of 3 takes")]
    assert len(ends) == 2 and ends[0].endswith("contradicts the plan: no frying pan is seen.")


def test_a_take_without_a_verdict_is_not_repeated(parts, tmp_path):
    folder = tmp_path / "run"
    events = list(make_video(best_of_n(1, repeats=3), parts, folder))
    assert made_anew(events) == 2 and takes(folder, 1)[0].reason == "No judge was given."


def test_the_budget_ends_further_takes(parts, plain, tmp_path):
    folder = tmp_path / "run"
    request = best_of_n(3, budget_s=1e-6)
    events = list(make_video(request, parts, folder, judge=PixelJudge()))
    # The budget is used up by the second take of the first step.
    assert [len(takes(folder, step)) for step in (1, 2)] == [2, 1]
    (warned,) = [w for w in of(Warned, events) if "are used up" in w.message]
    assert warned.step == 1
    assert list(make_video(request, parts, folder))[-1].nothing_to_do


class LastJudge(PixelJudge):
    """Prefers what `PixelJudge` does not, or fails."""

    def __init__(self, reason: str = "") -> None:
        super().__init__()
        self.reason = reason

    def judge(self, frames: Frames, step: StepPlan, references: Mapping[str, Image]) -> TakeVerdict:
        found = super().judge(frames, step, references)
        assert found.value is not None
        return TakeVerdict(None if self.reason else 1 - found.value, self.reason or "Seen.")


def test_the_final_judge_decides_between_the_two_best(best, parts, tmp_path):
    request = dataclasses.replace(SHORT, takes=TakePolicy(3, final_judge="openai"))
    folder, final = tmp_path / "run", LastJudge()
    making = make_video(request, parts, folder, judge=PixelJudge(), final_judge=final)
    with closing(making) as events:
        for event in events:
            if isinstance(event, ClipReady):
                break
    assert final.seen == 2
    list(make_video(request, parts, folder, judge=PixelJudge(), final_judge=final))
    assert final.seen == 4, "two takes of each step, once"
    for step in (1, 2):
        first = sorted((take.score for take in takes(best[0], step)), reverse=True)
        found = takes(folder, step)
        seen = [take for take in found if FINAL in take.verdict.parts]
        # The score of a final is the mean, .5 for both, so the one that was better before stays.
        assert [take.score for take in seen] == [0.5, 0.5]
        assert sorted((1 - take.verdict.parts[FINAL] for take in seen), reverse=True) == (
            pytest.approx(first[:2])
        )
        assert sum(take.current for take in seen) == 1
    assert "vision model" in read_metadata(folder / "video.mp4")["procvid"]
    with pytest.raises(RunError, match="a vision model decides between the two best there"):
        list(make_video(best_of_n(3), parts, folder))


def test_a_final_judge_that_fails_leaves_the_choice_to_the_first(best, parts, tmp_path):
    request = dataclasses.replace(SHORT, takes=TakePolicy(2, final_judge="openai"))
    judges = {"judge": PixelJudge(), "final_judge": LastJudge("The budget is used up.")}
    events = list(make_video(request, parts, tmp_path / "run", **judges))
    warned = [w.message for w in of(Warned, events) if "first judge decided" in w.message]
    assert warned == ["The scores of the first judge decided. The budget is used up."] * 2
    found = takes(tmp_path / "run", 1)
    assert max(found, key=lambda take: take.score).current
    assert all(FINAL not in take.verdict.parts for take in found)


def test_a_stale_step_gets_its_takes_again(best, parts, tmp_path):
    folder = Path(shutil.copytree(best[0], tmp_path / "run"))
    before = takes(folder, 2)
    kept = next(take for take in before if take.current)
    record = conditioning(folder, 2)
    record["anchors"] = [
        {"name": "carrot", "role": "food", "state": "sliced", "image_sha256": "0" * 64}
    ]
    for place in (folder / "steps/02", kept.folder):
        (place / "conditioning.json").write_text(json.dumps(record))
    run = RunFolder(folder, read_run(folder))
    records = {n: run.read_record(n) for n in (1, 2)}
    assert list(run.stale_steps(records)) == [2]
    again = list(make_video(best_of_n(3), parts, folder, judge=PixelJudge()))
    # The other two takes still fit.
    assert made_anew(again) == 1
    assert max(takes(folder, 2), key=lambda take: take.score).current
    assert conditioning(folder, 2)["anchors"] != record["anchors"]


def test_changes_of_a_person_hold_for_all_takes(parts, tmp_path):
    folder = tmp_path / "run"
    changes = {1: StepChanges(seed=77, prompt="A red pan.")}
    list(make_video(best_of_n(2), parts, folder, changes=changes, judge=PixelJudge()))
    found = takes(folder, 1)
    assert [take.seed for take in found] == [77, step_seed(5, 1, 1)]
    assert {take.prompt for take in found} == {"A red pan."}


def test_the_judge_reads_the_plan_as_the_models_do(parts, tmp_path):
    seen: list[list[str]] = []

    class Reader(PixelJudge):
        def judge(self, frames, step, references):
            seen.append([item.name for item in step.objects])
            return super().judge(frames, step, references)

    recipe = Recipe("Wok", ("Fry the carrot and the saffron in the wok.",))
    request = dataclasses.replace(best_of_n(2), recipe=recipe)
    list(make_video(request, parts, tmp_path / "run", judge=Reader()))
    planned = [
        item["name"]
        for item in json.loads((tmp_path / "run/plan.json").read_text())["steps"][0]["objects"]
    ]
    assert {"wok", "saffron"} <= set(planned)
    assert "frying pan" in seen[0] and not {"wok", "saffron"} & set(seen[0])


def test_a_redo_and_a_choice_follow(best, parts, tmp_path):
    folder = Path(shutil.copytree(best[0], tmp_path / "run"))
    list(regenerate_step(folder, 1, parts))
    assert [take.current for take in takes(folder, 1)] == [False, False, False, True]
    assert takes(folder, 1)[3].seed == step_seed(5, 1, 3)
    list(choose_take(folder, 1, 1, parts))
    assert takes(folder, 1)[0].current


def test_each_take_is_a_sample_of_the_time(parts, tmp_path):
    setting = ClipSetting.of("tiny", "cpu", SHORT.sampling, True)
    events = make_video(best_of_n(2), parts, tmp_path / "run", judge=PixelJudge())
    list(measured(events, tmp_path / "run", setting, tmp_path / "cache", lambda: 1.0))
    samples = read_samples(tmp_path / "cache")
    assert len(samples) == 4 and all(s.seconds > 0 and s.size_bytes for s in samples)
