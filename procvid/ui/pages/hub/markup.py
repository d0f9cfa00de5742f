"""Render releases as HTML: the preview, the progress, the verified files, and an upload."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

from procvid.hub.names import size
from procvid.hub.publish import PublishPlan
from procvid.hub.pull import Offer
from procvid.ui.markup import note, notes
from procvid.ui.pages.hub.releases import KINDS, InspectedRelease, facts_text, short_name

MAX_ROWS = 30


def offer_card(offer: Offer) -> str:
    """Return the facts of a release before its download."""
    release = offer.release
    facts = {
        "Kind": KINDS[release.artifact],
        "Name": release.name,
        "Repository": short_name(offer.hub_id),
        "Licence": release.licence or "not stated",
        "Terms of use": release.rights or "not stated",
        "Contents": facts_text(release),
        "Size": f"{size(release.total_bytes)} in {len(release.files)} files",
    }
    return _facts(facts) + notes("Please note:", offer.notes, "warn")


def progress(what: str, done: int, total: int, messages: tuple[str, ...] = ()) -> str:
    """Return a progress bar of a download or an upload."""
    percent = round(100 * done / total) if total else 0
    bar = (
        f'<div class="pv-bar" role="progressbar" aria-label="Bytes" aria-valuemin="0" '
        f'aria-valuemax="100" aria-valuenow="{percent}"><div style="width:{percent}%"></div></div>'
    )
    of_total = f"<span>{size(done)} of {size(total)}</span>" if total else ""
    return (
        f'<div class="pv-status"><p role="status"><b>{escape(what)}</b>{of_total}</p>{bar}'
        f"{notes('Please note:', messages, 'warn')}</div>"
    )


def integrity(release: InspectedRelease) -> str:
    """Return the facts of a downloaded release, and a table of its files with the result."""
    total = len(release.files)
    if release.damaged:
        verdict = note(
            f"{len(release.damaged)} of {total} files are damaged, so procvid will not load this "
            "release. Download it again.",
            "bad",
        )
    else:
        verdict = note(f"All {total} files match the manifest.")
    lead = "Not verified, because the manifest does not name them:"
    verdict += notes(lead, release.unnamed[:MAX_ROWS], "warn")
    rows = "".join(
        f'<tr><th scope="row">{escape(name)}</th><td>{size(fact.size)}</td>'
        f"<td><code>{fact.sha256[:16]}</code></td><td>{escape(wrong) or 'verified'}</td></tr>"
        for name, (fact, wrong) in list(release.files.items())[:MAX_ROWS]
    )
    more = f'<p class="pv-small">and {total - MAX_ROWS} more</p>' if total > MAX_ROWS else ""
    table = (
        f'<div class="pv-scores pv-files" tabindex="0" role="region" '
        f'aria-label="Files"><table><thead><tr><th scope="col">File</th><th scope="col">Size</th>'
        f'<th scope="col">sha256</th><th scope="col">Result</th></tr></thead><tbody>{rows}</tbody>'
        f"</table></div>{more}"
    )
    return (
        f"{verdict}{_facts(release.facts)}<details class='pv-small'><summary>Files and checks</summary>"
        f"{table}</details>"
    )


def plan_card(plan: PublishPlan, homes: Mapping[str, str]) -> str:
    """Return what publishing would upload."""
    if plan.is_done:
        return note(f"{plan.target.repo} holds this release already. There is nothing to upload.")
    new = "new, " + ("private" if plan.private else "public")
    facts = {
        "Repository": f"{plan.target.repo} ({plan.target.repo_type})",
        "Now": f"at {plan.head[:12]}" if plan.head else new,
        "Licence": plan.release.licence or "none",
        "Tag": plan.tag or "none",
        "Upload": f"{len(plan.uploads)} files, {size(plan.upload_bytes)}, in one commit",
        "Delete": ", ".join(plan.deletes) or "nothing",
    }
    rows = "".join(
        f'<tr><th scope="row">{escape(name)}</th><td>{size(num_bytes)}</td></tr>'
        for name, num_bytes in list(plan.uploads.items())[:MAX_ROWS]
    )
    named = tuple(f"{name} mentions a home folder: {home}" for name, home in homes.items())
    return (
        f"{_facts(facts)}{notes('Please note:', named, 'warn')}"
        f'<div class="pv-scores" tabindex="0" role="region" aria-label="Files to upload"><table>'
        f'<thead><tr><th scope="col">File</th><th scope="col">Size</th></tr></thead>'
        f"<tbody>{rows}</tbody></table></div>"
    )


def _facts(facts: Mapping[str, str]) -> str:
    rows = "".join(f"<dt>{escape(k)}</dt><dd>{escape(v)}</dd>" for k, v in facts.items())
    return f'<div class="pv-about pv-release"><dl>{rows}</dl></div>'
