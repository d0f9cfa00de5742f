"""Releases as HTML: what is offered, how far it is, and whether every byte is right."""

from __future__ import annotations

from collections.abc import Mapping
from html import escape

from procvid.hub.names import size
from procvid.hub.publish import PublishPlan
from procvid.hub.pull import Offer
from procvid.ui.markup import note, notes
from procvid.ui.pages.hub.releases import Shown, facts_text

MAX_ROWS = 30


def offer_card(offer: Offer) -> str:
    """What a repository offers, before anything is fetched."""
    release = offer.release
    facts = {
        "Kind": release.artifact,
        "Name": release.name,
        "From": offer.hub_id.label,
        "Licence": release.licence or "none was given",
        "Rights": release.rights or "nothing was said",
        "Contents": facts_text(release),
        "Size": f"{size(release.total_bytes)} in {len(release.files)} files",
    }
    return _facts(facts) + notes("Please note:", offer.notes, "warn")


def progress(told: str, done: int, total: int, more: tuple[str, ...] = ()) -> str:
    """How far a pull or a publication is."""
    percent = round(100 * done / total) if total else 0
    bar = (
        f'<div class="pv-bar" role="progressbar" aria-label="Bytes" aria-valuemin="0" '
        f'aria-valuemax="100" aria-valuenow="{percent}"><div style="width:{percent}%"></div></div>'
    )
    return (
        f'<div class="pv-status"><p role="status"><b>{escape(told)}</b>'
        f"<span>{size(done)} of {size(total)}</span></p>{bar}{notes('Please note:', more, 'warn')}</div>"
    )


def integrity(shown: Shown) -> str:
    """Facts of a release that is here, and a row a file with its verdict."""
    total = len(shown.files)
    if shown.damaged:
        verdict = note(
            f"{len(shown.damaged)} of {total} files are not as they should be. Pull it again: "
            "procvid does not load it like this.",
            "bad",
        )
    else:
        verdict = note(f"All {total} files are as its manifest says, byte for byte.")
    lead = "These lie there too; no manifest names them, so they are not verified:"
    verdict += notes(lead, shown.unnamed[:MAX_ROWS], "warn")
    rows = "".join(
        f'<tr><th scope="row">{escape(name)}</th><td>{size(fact.size)}</td>'
        f"<td><code>{fact.sha256[:16]}</code></td><td>{escape(wrong) or 'as it should be'}</td></tr>"
        for name, (fact, wrong) in list(shown.files.items())[:MAX_ROWS]
    )
    more = f'<p class="pv-small">and {total - MAX_ROWS} more</p>' if total > MAX_ROWS else ""
    return (
        f'{verdict}{_facts(shown.facts)}<div class="pv-scores pv-files" tabindex="0" role="region" '
        f'aria-label="Files"><table><thead><tr><th scope="col">File</th><th scope="col">Size</th>'
        f'<th scope="col">sha256</th><th scope="col">Now</th></tr></thead><tbody>{rows}</tbody></table>'
        f"</div>{more}"
    )


def plan_card(plan: PublishPlan, homes: Mapping[str, str]) -> str:
    """What publishing would send."""
    if plan.is_done:
        return note(f"{plan.target.repo} holds this very release already: nothing to send.")
    where = "a new repository, " + ("private" if plan.private else "public for all to see")
    facts = {
        "To": f"{plan.target.repo_type} {plan.target.repo}",
        "Which is": where if not plan.head else f"there, at {plan.head[:12]}",
        "Licence": plan.release.licence or "none",
        "Tag": plan.tag or "none",
        "To send": f"{len(plan.uploads)} files, {size(plan.upload_bytes)}, in one commit",
        "Removed there": ", ".join(plan.deletes) or "nothing",
    }
    rows = "".join(
        f'<tr><th scope="row">{escape(name)}</th><td>{size(num_bytes)}</td></tr>'
        for name, num_bytes in list(plan.uploads.items())[:MAX_ROWS]
    )
    named = tuple(f"{name} names a folder of a person: {home}" for name, home in homes.items())
    return (
        f"{_facts(facts)}{notes('Please note:', named, 'warn')}"
        f'<div class="pv-scores" tabindex="0" role="region" aria-label="Files to send"><table>'
        f'<thead><tr><th scope="col">File</th><th scope="col">Size</th></tr></thead>'
        f"<tbody>{rows}</tbody></table></div>"
    )


def _facts(facts: Mapping[str, str]) -> str:
    rows = "".join(f"<dt>{escape(k)}</dt><dd>{escape(v)}</dd>" for k, v in facts.items())
    return f'<div class="pv-about pv-release"><dl>{rows}</dl></div>'
