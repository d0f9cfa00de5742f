"""Licence identifiers of the Hub's metadata."""

from __future__ import annotations

import re

KNOWN = frozenset(
    """
    afl-3.0 agpl-3.0 apache-2.0 apple-amlr artistic-2.0 bigscience-openrail-m bsd bsd-2-clause
    bsd-3-clause bsd-3-clause-clear bsl-1.0 c-uda cc cc-by-2.0 cc-by-2.5 cc-by-3.0 cc-by-4.0
    cc-by-nc-2.0 cc-by-nc-3.0 cc-by-nc-4.0 cc-by-nc-nd-3.0 cc-by-nc-nd-4.0 cc-by-nc-sa-2.0
    cc-by-nc-sa-3.0 cc-by-nc-sa-4.0 cc-by-nd-4.0 cc-by-sa-3.0 cc-by-sa-4.0 cc0-1.0
    cdla-permissive-1.0 cdla-permissive-2.0 cdla-sharing-1.0 creativeml-openrail-m ecl-2.0 epl-1.0
    epl-2.0 eupl-1.1 eupl-1.2 gfdl gpl gpl-2.0 gpl-3.0 isc lgpl lgpl-2.1 lgpl-3.0 mit mpl-2.0 ms-pl
    ncsa odbl odc-by ofl-1.1 openrail openrail++ osl-3.0 other pddl postgresql unknown unlicense
    wtfpl zlib
    """.split()
)


def licence_metadata(licence: str) -> dict[str, str]:
    """Return the Hub's metadata for a licence; {} for "", "other" for an unknown licence."""
    written = " ".join(licence.split())
    if not written:
        return {}
    identifier = written.lower().replace(" ", "-")
    if identifier in KNOWN:
        return {"license": identifier}
    name = re.sub(r"[^a-z0-9.]+", "-", identifier).strip("-")[:60]
    return {"license": "other", "license_name": name or "other"}
