"""Say what to do in the words of the page, where an error names a command or an option."""

from __future__ import annotations

from collections.abc import Mapping

ON_THE_PAGE: Mapping[str, str] = {
    "`procvid memory search` lists the ids.": "Choose another picture.",
    "or finish the run with `procvid generate` first.": "or resume the run first.",
    "Run the same `procvid generate` command to redo this.": "Redo them.",
    "Run the same `procvid generate` command again first.": "Resume it first.",
    "Make the step again with `procvid regenerate`.": "Redo the step.",
    "Add a store with --memory STORE.": "Choose another memory under Options.",
    "choose another folder for --out.": "start a new video.",
    "Leave the reference images out with --no-pixels.": "Leave out the images.",
    "Give a licence with --licence, leave the images out with --no-pixels, or publish without a "
    "licence with --without-licence.": "Fill in the licence, or leave out the images.",
    "Leave @REVISION out and use --tag.": "Leave out @REVISION and fill in the tag.",
    "or leave --private out.": "or untick “Private”.",
    "Free some space, or choose another folder with --to or PROCVID_CACHE.": "Free some space.",
    "Use --planner rules, which asks no service.": "Remove the key to plan without a service.",
    "Use --voice espeak, which asks no service.": "Choose another voice.",
    "or use the whole photo (--whole).": "or tick “Use the whole photo”.",
}
"""Remedies of the command line, and those that the page has a button or a field for."""


def page_words(text: str) -> str:
    """Return a message with the remedies of the page."""
    for command, action in ON_THE_PAGE.items():
        text = text.replace(command, action)
    return text
