"""Films of a finished run: speech and captions in step, loudness, marks, shapes and bad input."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np
import pytest
from PIL import Image as Pillow

from procvid.errors import InputError, ProcvidError, RunError, UnavailableError
from procvid.media.ai_mark import DIGITAL_SOURCE_TYPE, XMP_UUID
from procvid.media.video import probe, read_chapters, read_metadata
from procvid.models.voices.espeak import EspeakVoice
from procvid.run.film.make import make_film
from procvid.run.film.narration import phrases
from procvid.run.film.settings import Film, FilmSettings
from procvid.run.film.timeline import filled, shared
from procvid.run.folder import read_run
from procvid.storage.lock import locked
from procvid.types import Samples
from procvid.wiring.voices import build_voice
from tests.run.film.conftest import TEXTS, SpeechServer, make_run

RATE_HZ = 48_000
needs_espeak = pytest.mark.skipif(shutil.which("espeak-ng") is None, reason="no espeak-ng")


@pytest.fixture(scope="module")
def narrated(run: Path, tmp_path_factory: pytest.TempPathFactory) -> Film:
    out = tmp_path_factory.mktemp("narrated") / "film.mp4"
    return make_film(run, FilmSettings(voice="espeak", visible_mark=False), EspeakVoice(), out)


def sound_of(path: Path) -> Samples:
    """Return the left channel of a film's sound, as a player hears it."""
    with av.open(str(path)) as film:
        frames = list(film.decode(audio=0))
    start = round(float(frames[0].pts * frames[0].time_base) * RATE_HZ)
    samples = np.concatenate([frame.to_ndarray()[0] for frame in frames])
    return np.concatenate([np.zeros(max(0, start), np.float32), samples[max(0, -start) :]])


def speech_spans(samples: Samples, gap_s: float = 0.5) -> list[tuple[float, float]]:
    """Return when somebody speaks: 10 ms windows above -45 dB of the loudest, joined over gaps."""
    window = RATE_HZ // 100
    loud = np.sqrt((samples[: len(samples) // window * window].reshape(-1, window) ** 2).mean(1))
    at = np.flatnonzero(loud > 10 ** (-45 / 20) * loud.max()) / 100
    cuts = np.flatnonzero(np.diff(at) > gap_s)
    starts, ends = [at[0], *at[cuts + 1]], [*at[cuts], at[-1]]
    return [(float(s), float(e) + 0.01) for s, e in zip(starts, ends, strict=True)]


@needs_espeak
def test_speech_and_captions_are_in_step(narrated: Film) -> None:
    spans = speech_spans(sound_of(narrated.path))
    assert len(spans) == len(narrated.cues) == len(TEXTS)
    for (start_s, end_s), cue in zip(spans, narrated.cues, strict=True):
        assert abs(start_s - cue.start_s) < 0.2 and abs(end_s - cue.end_s) < 0.2
    assert narrated.captions is not None
    assert narrated.captions.read_text().count("-->") == len(TEXTS)


@needs_espeak
def test_the_speech_has_the_loudness_of_the_settings(narrated: Film) -> None:
    assert narrated.loudness is not None
    assert abs(narrated.loudness.lufs + 16) < 1 and narrated.loudness.peak_dbtp < -1
    with av.open(str(narrated.path)) as film:
        assert film.streams.audio[0].codec_context.name == "aac"


@needs_espeak
def test_a_film_keeps_chapters_title_and_provenance(run: Path, narrated: Film) -> None:
    old, new = read_metadata(run / "video.mp4"), read_metadata(narrated.path)
    assert old.items() <= new.items() and "espeak-ng" in new["procvid_film"]
    chapters = read_chapters(narrated.path)
    assert [title for _, _, title in chapters] == [f"{n}. {t}" for n, t in enumerate(TEXTS, 1)]
    assert chapters[-1][1] == pytest.approx(narrated.duration_s, abs=0.01)
    for (start_s, end_s, _), cue in zip(chapters, narrated.cues, strict=True):
        assert start_s < cue.start_s < cue.end_s < end_s
    assert probe(narrated.path).duration_s == pytest.approx(narrated.duration_s, abs=0.05)


@needs_espeak
def test_a_service_speaks_once_and_its_words_are_kept(
    tmp_path: Path, speech: SpeechServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", speech.url)
    run = make_run(tmp_path / "run", texts=TEXTS[:1])
    settings = FilmSettings(voice="openai", visible_mark=False)
    for number in (1, 2):
        film = make_film(run, settings, build_voice("openai"), tmp_path / f"{number}.mp4")
        ((start_s, end_s),) = speech_spans(sound_of(film.path))
        assert abs(start_s - film.cues[0].start_s) < 0.2 and abs(end_s - film.cues[0].end_s) < 0.2
    (request,) = speech.requests
    assert request["path"] == "/v1/audio/speech" and request["input"] == TEXTS[0]


@needs_espeak
@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ("nonsense", "is not a sound file"),
        ("empty", "is not a sound file"),
        ("silent", "gave no sound"),
        ("stop", "stopped in the middle"),
    ],
)
def test_a_service_that_answers_nonsense_leaves_no_file(
    answer: str,
    words: str,
    tmp_path: Path,
    run: Path,
    speech: SpeechServer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", speech.url)
    speech.answer = answer
    with pytest.raises(UnavailableError, match=words):
        make_film(run, FilmSettings(voice="openai"), build_voice("openai"), tmp_path / "film.mp4")
    assert not list(tmp_path.iterdir())


def test_a_missing_voice_says_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(UnavailableError, match="apt install espeak-ng"):
        build_voice("espeak")
    with pytest.raises(UnavailableError, match="OPENAI_API_KEY"):
        build_voice("openai")


@pytest.mark.slow
def test_a_vertical_film_is_9_to_16(run: Path, tmp_path: Path) -> None:
    settings = FilmSettings(shape="vertical", burn_captions=True, step=2)
    film = make_film(run, settings, None, tmp_path / "film.mp4")
    facts = probe(film.path)
    assert (facts.width, facts.height) == (720, 1280)
    assert [title for _, _, title in read_chapters(film.path)] == [f"2. {TEXTS[1]}"]


def test_animations_repeat_and_name_ai_as_their_maker(run: Path, tmp_path: Path) -> None:
    for kind in ("gif", "webp"):
        settings = FilmSettings(format=kind, step=1)  # type: ignore[arg-type]
        film = make_film(run, settings, None, tmp_path / f"film.{kind}")
        with Pillow.open(film.path) as image:
            assert image.n_frames == 17 and image.info["loop"] == 0
            image.seek(16)
        assert DIGITAL_SOURCE_TYPE.encode() in film.path.read_bytes()


def test_the_visible_mark_can_be_left_out(run: Path, tmp_path: Path) -> None:
    corners = []
    for has_mark in (True, False):
        settings = FilmSettings(format="webp", step=1, visible_mark=has_mark)
        make_film(run, settings, None, tmp_path / "film.webp")
        with Pillow.open(tmp_path / "film.webp") as image:
            corners.append(np.asarray(image.convert("L"), int)[:24, 24:])
    assert np.ptp(corners[0]) > 100 and np.ptp(corners[1]) < 10


def test_an_mp4_holds_the_mark_as_xmp(run: Path, tmp_path: Path) -> None:
    film = make_film(run, FilmSettings(visible_mark=False), None, tmp_path / "film.mp4")
    end = film.path.read_bytes()[-2000:]
    assert XMP_UUID in end and DIGITAL_SOURCE_TYPE.encode() in end
    assert film.marks == ("metadata",)


def test_a_recipe_card_is_one_escaped_file(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", "<b>גזר</b> & 🥕", ("Slice <script>the</script> carrot.",))
    film = make_film(run, FilmSettings(format="html"), None, tmp_path / "card.html")
    text = film.path.read_text("utf-8")
    assert "<script>" not in text and "<b>גזר" not in text and "&lt;b&gt;גזר" in text
    assert text.count('src="data:image/jpeg') == 1 and DIGITAL_SOURCE_TYPE in text
    assert 'dir="auto"' in text and "http://" not in text.replace(DIGITAL_SOURCE_TYPE, "")


@pytest.mark.slow
def test_a_note_names_characters_that_cannot_be_drawn(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", "🥕", ("Slice the 🥕.",))
    film = make_film(run, FilmSettings(burn_captions=True), None, tmp_path / "film.mp4")
    assert len(film.notes) == 1 and "🥕" in film.notes[0]


@pytest.mark.parametrize(
    "wrong",
    [
        {"voice": "siri"},
        {"voice": ["espeak"]},
        {"shape": "round"},
        {"format": "exe"},
        {"format": "gif"},
        {"format": "gif", "step": 1, "voice": "espeak"},
        {"format": "html", "shape": "vertical"},
        {"format": "html", "step": 1},
        {"burn_captions": "yes"},
        {"step": "1"},
        {"step": True},
        {"loudness": float("nan")},
        {"loudness": 0},
        {"loudness": "loud"},
    ],
)
def test_wrong_settings_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(InputError):
        FilmSettings(**wrong)  # type: ignore[arg-type]


def _without_video(run: Path) -> None:
    (run / "video.mp4").unlink()


def _with_another_video(run: Path) -> None:
    (run / "video.mp4").write_bytes(b"x")


def _without_a_step(run: Path) -> None:
    shutil.rmtree(run / "steps/02")


def _with_an_older_take(run: Path) -> None:
    file = run / "steps/02/conditioning.json"
    record = json.loads(file.read_text())
    record["references"][0] |= {"origin": "run", "source_id": f"{read_run(run).run_id}/01"}
    file.write_text(json.dumps(record))


@pytest.mark.parametrize(
    ("break_it", "words"),
    [
        (_without_video, "no video yet"),
        (_with_another_video, "does not show the clips"),
        (_without_a_step, "Step 2 has no clip"),
        (_with_an_older_take, "Step 2 still shows an older take"),
    ],
)
def test_a_run_that_is_not_finished_is_refused(
    break_it: Callable[[Path], None], words: str, run: Path, tmp_path: Path
) -> None:
    copy = Path(shutil.copytree(run, tmp_path / "run"))
    break_it(copy)
    with pytest.raises(RunError, match=words):
        make_film(copy, FilmSettings(), None, tmp_path / "film.mp4")


def test_a_run_in_progress_and_a_wrong_step_are_refused(run: Path, tmp_path: Path) -> None:
    with locked(run), pytest.raises(RunError, match="in progress"):
        make_film(run, FilmSettings(), None, tmp_path / "film.mp4")
    for step in (0, 3, -1):
        with pytest.raises(InputError, match="Choose 1 to 2"):
            make_film(run, FilmSettings(step=step), None, tmp_path / "film.mp4")
    with pytest.raises(ProcvidError, match="no run"):
        make_film(tmp_path, FilmSettings(), None, tmp_path / "film.mp4")


def test_clips_are_repeated_whole_and_shots_share_the_time() -> None:
    assert filled(4, 3) == [0, 1, 2]
    assert filled(2, 4) == [0, 1, 0, 1]
    assert filled(4, 5) == [0, 0, 1, 2, 3]
    assert filled(4, 7) == [0, 0, 1, 2, 2, 3, 3]
    assert all(len(filled(n, w)) == w for n in (1, 2, 17) for w in range(n, 90))
    assert shared([17, 17, 34], 101) == [25, 25, 51]


def test_long_steps_are_cut_into_phrases_of_two_lines() -> None:
    text = "Add 1,5 tbsp. of oil. " + "Stir the pan, and then the eggs until set; " * 4 + "x" * 200
    found = phrases(text)
    assert found[0] == "Add 1,5 tbsp. of oil." and max(map(len, found)) <= 90
    assert "".join(found).replace(" ", "") == text.replace(" ", "")
    assert phrases("  \n ") == []
