"""Scripts for what the browser remembers of a visitor, shared by all tabs.

`gr.BrowserState` reads its value when a tab opens and writes it back later, so the last tab
overwrites what others have added. The list of runs and the id of the own memory are therefore kept
under keys of their own: a list is read again at each use and only added to, and a change in one tab
reaches the others by the browser's storage event.
"""

from __future__ import annotations

RUNS, MEMORY = "procvid.runs", "procvid.memory"
"""Keys of the list of run ids, latest first, and of the id of the own memory."""

LIBRARY = "procvid.library"
"""Key of the time at which a tab last renamed, deleted or restored a run."""

LIBRARY_ID = "pv-library"
"""Element id of the list of videos."""

MAX_RUNS = 1_000
"""Maximum number of runs that a browser remembers."""

SYNC_RUNS, SYNC_MEMORY = "pv-sync-runs", "pv-sync-memory"
"""Element ids of the hidden buttons that a tab presses when another tab has changed a value."""

STORAGE = """<script>
try { window.localStorage.length; } catch {
  const kept = new Map();
  Object.defineProperty(window, 'localStorage', {value: {
    getItem: key => kept.has(key) ? kept.get(key) : null,
    setItem: (key, value) => { kept.set(key, String(value)); },
    removeItem: key => { kept.delete(key); },
  }});
}
</script>"""
"""For the page's head: a storage that lasts as long as the tab, in a browser that refuses its own.

Without it a gr.BrowserState fails, and the page stays empty.
"""

_READ = f"""const read = () => {{
    let text;
    try {{ text = localStorage.getItem('{RUNS}') || '[]'; }}
    catch {{ return globalThis.procvidRuns || []; }}
    try {{
      const kept = JSON.parse(text);
      return Array.isArray(kept) ? kept.filter(id => typeof id === 'string') : [];
    }} catch {{ return []; }}
  }};
  const add = (ids) => {{
    const all = [...new Set([...ids, ...read()])].slice(0, {MAX_RUNS});
    try {{ localStorage.setItem('{RUNS}', JSON.stringify(all)); }}
    catch {{ globalThis.procvidRuns = all; }}
    return all;
  }};"""
"""Reads and extends the list; a browser without storage keeps it until the tab is closed."""

REMEMBER = f"""(id) => {{
  {_READ}
  if (!id) return;
  add([id]);
  history.replaceState(null, '', '?run=' + id);
}}"""
"""Adds a new run to the list and puts it into the page's address."""

REMEMBER_PAIR = f"""(pair) => {{
  {_READ}
  const [one, other] = Array.isArray(pair) ? pair : [];
  if (!one || !other) return;
  add([one, other]);
  history.replaceState(null, '', '?run=' + one + '&with=' + other);
}}"""
"""Adds two runs that are compared to the list and puts both into the page's address."""

_LISTED = """const known = read();
  const older = (Array.isArray(runs) ? runs : []).filter(id => !known.includes(id));
  const all = older.length ? add([...known, ...older]) : known;
  const minutes = new Date().getTimezoneOffset();"""
"""Gets the list, with the runs that an older version kept in a gr.BrowserState."""

LIST = f"""(runs, _, ...others) => {{
  {_READ}
  {_LISTED}
  return [all, minutes, ...others];
}}"""
"""Returns the list of runs, and the minutes by which the browser's clock is behind UTC."""

WAKING = f"""(runs, _, __, ...others) => {{
  {_READ}
  {_LISTED}
  const list = document.getElementById('{LIBRARY_ID}');
  const seen = !list || !list.offsetParent ? 'left' : document.hidden ? 'hidden' : 'seen';
  return [all, minutes, seen, ...others];
}}"""
"""Returns the same, and the state of the list of videos: seen, hidden, or on another tab."""

DONE = f"""(done) => {{
  if (!done) return;
  const [what, id] = done.split(' ');
  if (what === 'opened') {{ history.replaceState(null, '', '?run=' + id); return; }}
  if (what === 'left') history.replaceState(null, '', location.pathname);
  const list = document.getElementById('{LIBRARY_ID}');
  if (list) list.querySelectorAll('input').forEach(it => {{ it.value = it.defaultValue; }});
  try {{ localStorage.setItem('{LIBRARY}', String(Date.now())); }} catch {{}}
}}"""
"""Follows what the library did: "opened ID", "changed", or "left" when the open run was deleted.

The address follows, fields show what is stored, and the other tabs are woken.
"""

KEEP_MEMORY = f"""(id) => {{
  try {{ if (id) localStorage.setItem('{MEMORY}', id); }} catch {{}}
}}"""
"""Keeps the id of the own memory for the other tabs."""

READ_MEMORY = f"""(id) => {{
  try {{ return localStorage.getItem('{MEMORY}') || id; }} catch {{ return id; }}
}}"""
"""Returns the id of the own memory that any tab has kept last."""

WATCH = f"""() => {{
  const watch = (key, button) => {{
    const now = () => {{ try {{ return localStorage.getItem(key); }} catch {{ return null; }} }};
    let seen = now();
    const look = () => {{
      if (document.hidden || now() === seen) return;
      seen = now();
      document.getElementById(button)?.click();
    }};
    for (const [target, event] of
         [[window, 'storage'], [window, 'focus'], [document, 'visibilitychange']])
      target.addEventListener(event, look);
  }};
  watch('{RUNS}', '{SYNC_RUNS}');
  watch('{LIBRARY}', '{SYNC_RUNS}');
  watch('{MEMORY}', '{SYNC_MEMORY}');
}}"""
"""Presses a hidden button when another tab has changed a value, as soon as this tab is visible."""
