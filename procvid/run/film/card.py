"""Write a recipe card: one HTML file with a picture of each step, made to be printed."""

from __future__ import annotations

import base64
import io
from html import escape
from pathlib import Path

from PIL import Image as Pillow

from procvid.media.ai_mark import DIGITAL_SOURCE_TYPE, xmp
from procvid.media.video import read_clip
from procvid.run.film.chapters import FilmSource, FilmStep
from procvid.run.film.pictures import MARK
from procvid.storage.atomic import write_text

MAX_SIDE_PX = 640

FOOTER = "AI-generated: these pictures show no real event; they were made by procvid."

STYLE = """
@page { size: A4; margin: 14mm }
* { box-sizing: border-box }
body { font: 12pt/1.45 system-ui, "Segoe UI", "Noto Sans", sans-serif; color: #1f1b16;
  max-width: 186mm; margin: 8mm auto; padding: 0 4mm; background: #fff }
h1 { font-size: 26pt; line-height: 1.15; margin: 0 0 6mm; overflow-wrap: anywhere }
h2 { font-size: 13pt; margin: 0 0 2mm }
.ingredients { border-block: .4mm solid #e2d6c5; padding: 3mm 0; margin-bottom: 6mm;
  break-inside: avoid }
.ingredients ul { columns: 2; column-gap: 10mm; margin: 0; padding-inline-start: 5mm }
.steps { list-style: none; margin: 0; padding: 0 }
.steps li { display: grid; grid-template-columns: 44mm 1fr; gap: 6mm; align-items: center;
  padding: 3mm 0; break-inside: avoid }
.steps img { width: 100%; max-height: 44mm; object-fit: cover; border-radius: 3mm; display: block }
.steps b { display: block; color: #a4520e; font-size: 11pt }
.steps p { margin: .5mm 0 0; overflow-wrap: anywhere }
.picture { position: relative }
.mark { position: absolute; inset-block-start: 1.5mm; inset-inline-end: 1.5mm; color: #fff;
  background: #000b; border-radius: 3mm; padding: .3mm 2mm; font-size: 7.5pt;
  print-color-adjust: exact; -webkit-print-color-adjust: exact }
footer { margin-top: 6mm; font-size: 9pt; color: #5d5346 }
@media (max-width: 600px) { .steps li { grid-template-columns: 1fr } .ingredients ul { columns: 1 } }
@media print { body { margin: 0; padding: 0; max-width: none } }
"""


def write_card(path: Path, source: FilmSource, *, has_mark: bool) -> None:
    """Write the recipe card of a run. Raise OutputError on failure."""
    title = escape(source.title)
    steps = "\n".join(_step(step, has_mark) for step in source.steps)
    write_text(
        path,
        f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="generator" content="procvid">
<meta name="Iptc4xmpExt:DigitalSourceType" content="{DIGITAL_SOURCE_TYPE}">
<meta http-equiv="Content-Security-Policy"
  content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<title>{title}</title>
<style>{STYLE}</style>
</head>
<body>
<h1 dir="auto">{title}</h1>
{_ingredients(source.ingredients)}<ol class="steps">
{steps}
</ol>
<footer>{FOOTER}</footer>
</body>
</html>
""",
    )


def _ingredients(names: tuple[str, ...]) -> str:
    if not names:
        return ""
    items = "".join(f'<li dir="auto">{escape(name)}</li>' for name in names)
    return f'<section class="ingredients"><h2>Ingredients</h2><ul>{items}</ul></section>\n'


def _step(step: FilmStep, has_mark: bool) -> str:
    mark = f'<span class="mark">{MARK}</span>' if has_mark else ""
    return (
        f'<li><div class="picture"><img src="{_picture(step)}" alt="Picture of step {step.number}">'
        f'{mark}</div><div><b>Step {step.number}</b><p dir="auto">{escape(step.text)}</p></div></li>'
    )


def _picture(step: FilmStep) -> str:
    """Return the last frame of a step, which shows its result, as a data address."""
    image = Pillow.fromarray(read_clip(step.clips[-1]).frames[-1])
    image.thumbnail((MAX_SIDE_PX, MAX_SIDE_PX), Pillow.Resampling.LANCZOS)
    file = io.BytesIO()
    image.save(file, "JPEG", quality=88, xmp=xmp())
    return "data:image/jpeg;base64," + base64.b64encode(file.getvalue()).decode()
