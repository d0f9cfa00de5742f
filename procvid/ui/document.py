"""The HTML document around the page: title, social card, theme before the first paint, own files.

Gradio's document names Gradio in its social card. `OwnHead` replaces those tags in the document, where
the programs that read cards look: they run no script. Addresses in it are absolute and follow the
request.
"""

from __future__ import annotations

import re
from html import escape
from pathlib import Path
from typing import Any

from gradio.route_utils import get_root_url
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.routing import Mount
from starlette.staticfiles import StaticFiles
from starlette.types import ASGIApp, Message, Receive, Scope, Send

FILES = Path(__file__).parents[1] / "assets" / "page"
"""Pictures and clips of the page itself."""
ADDRESS = "page-files"
"""Where the browser finds `FILES`, relative to the page."""

TITLE = "procvid: recipes become videos"
DESCRIPTION = (
    "Paste a recipe and get one short clip per step. The pan stays the same pan in every clip."
)
CARD, CARD_SIZE = "card.jpg", (1200, 630)
ICON = FILES / "icon.svg"

SOCIAL = re.compile(r'\s*<meta\s+(?:property="og:|name="twitter:)[^>]*>')
TITLES = re.compile(r"\s*<title>.*?</title>", re.DOTALL)

THEME = """<style>
html[data-theme=dark] body { background: var(--bg-dark); color: var(--col-dark); }
html[data-theme=light] body { background: var(--bg); color: var(--col); }
</style>
<script>
window.procvidTheme = (() => {
  const root = document.documentElement, key = 'procvid.theme', known = ['system', 'light', 'dark'];
  const system = window.matchMedia('(prefers-color-scheme: dark)');
  const read = () => { try { return localStorage.getItem(key); } catch { return null; } };
  let asked = new URL(location.href).searchParams.get('__theme');
  const get = () => [asked, read(), 'system'].find(name => known.includes(name));
  const apply = () => {
    const theme = get();
    root.dataset.theme = theme;
    const dark = theme === 'dark' || (theme === 'system' && system.matches);
    if (document.body && document.body.classList.contains('dark') !== dark)
      document.body.classList.toggle('dark', dark);
  };
  const next = () => {
    const theme = known[(known.indexOf(get()) + 1) % known.length];
    asked = theme;
    try { localStorage.setItem(key, theme); } catch {}
    apply();
    return theme;
  };
  // The class is set again when the page starts. The observer corrects it before the next paint.
  new MutationObserver(apply).observe(root, {subtree: true, childList: true,
    attributes: true, attributeFilter: ['class']});
  system.addEventListener('change', apply);
  apply();
  return {get, next};
})();
</script>"""
"""Applies the theme that this browser remembers. `__theme` in the address comes first."""


def app_settings() -> dict[str, Any]:
    """Return the arguments of the FastAPI app: the middleware, and the address of `FILES`."""
    return {
        "middleware": [Middleware(OwnHead)],
        "routes": [Mount(f"/{ADDRESS}", StaticFiles(directory=FILES))],
    }


def file_address(name: str) -> str:
    """Return the address of one of `FILES`, relative to the page, with the time of its change."""
    return f"{ADDRESS}/{name}?v={(FILES / name).stat().st_mtime_ns:x}"


def with_own_head(document: str, root: str) -> str:
    """Return Gradio's document with the title, the social card and the theme of procvid.

    Args:
        document: The HTML of the page.
        root: Public address of the page, without a slash at its end. A request's headers choose it.
    """
    bare = TITLES.sub("", SOCIAL.sub("", document))
    return bare.replace("<head>", f"<head>\n{head(root)}", 1)


def head(root: str) -> str:
    """Return the elements that open the head of the document."""
    width, height = CARD_SIZE
    image = f"{root}/{ADDRESS}/{CARD}"
    facts = {
        "og:title": TITLE,
        "og:type": "website",
        "og:site_name": "procvid",
        "og:description": DESCRIPTION,
        "og:url": f"{root}/",
        "og:image": image,
        "og:image:width": str(width),
        "og:image:height": str(height),
        "og:image:alt": "Four clips of a recipe, without memory and with memory",
    }
    names = {
        "description": DESCRIPTION,
        "twitter:card": "summary_large_image",
        "twitter:title": TITLE,
        "twitter:description": DESCRIPTION,
        "twitter:image": image,
    }
    lines = [f"<title>{escape(TITLE)}</title>"]
    lines += [f'<meta property="{key}" content="{escape(text)}" />' for key, text in facts.items()]
    lines += [f'<meta name="{key}" content="{escape(text)}" />' for key, text in names.items()]
    return "\n".join([*lines, THEME])


class OwnHead:
    """ASGI middleware that changes the head of the page's document and passes on all else."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        if scope["type"] != "http" or scope["method"] != "GET" or not _is_page(scope):
            await self.app(scope, receive, send)
            return
        start: Message = {}
        parts: list[bytes] = []

        async def collect(message: Message) -> None:
            nonlocal start
            if message["type"] == "http.response.start":
                start = message
                return
            parts.append(message.get("body", b""))
            if message.get("more_body", False):
                return
            body = b"".join(parts)
            headers = {key.lower(): value for key, value in start["headers"]}
            if headers.get(b"content-type", b"").startswith(b"text/html"):
                root = get_root_url(Request(scope), "/", scope.get("root_path"))
                body = with_own_head(body.decode(), root).encode()
                headers[b"content-length"] = str(len(body)).encode()
                start = {**start, "headers": list(headers.items())}
            await send(start)
            await send({"type": "http.response.body", "body": body})

        await self.app(scope, receive, collect)


def _is_page(scope: Scope) -> bool:
    """Return True for the page itself, also below the path of a proxy."""
    path: str = scope["path"]
    return path.removeprefix(scope.get("root_path", "")) in ("", "/")
