"""Scripts for what the browser remembers of a visitor, shared by all tabs.

`gr.BrowserState` reads its value when a tab opens and writes it back later, so the last tab
overwrites what others have added. The list of runs and the id of the own memory are therefore kept
under keys of their own: a list is read again at each use and only added to, and a change in one tab
reaches the others by the browser's storage event.
"""

from __future__ import annotations

RUNS, MEMORY = "procvid.runs", "procvid.memory"
"""Keys of the list of run ids, latest first, and of the id of the own memory."""

MAX_RUNS = 30
"""Maximum number of runs that a browser remembers."""

SYNC_RUNS, SYNC_MEMORY = "pv-sync-runs", "pv-sync-memory"
"""Element ids of the hidden buttons that a tab presses when another tab has changed a value."""

_READ = f"""const read = () => {{
    try {{
      const kept = JSON.parse(localStorage.getItem('{RUNS}') || '[]');
      return Array.isArray(kept) ? kept.filter(id => typeof id === 'string') : [];
    }} catch {{ return []; }}
  }};
  const add = (ids) => {{
    const all = [...new Set([...ids, ...read()])].slice(0, {MAX_RUNS});
    try {{ localStorage.setItem('{RUNS}', JSON.stringify(all)); }} catch {{}}
    return all;
  }};"""

ADDRESS = "(id) => { if (id) history.replaceState(null, '', '?run=' + id); }"
"""Puts the run into the page's address, so that the address opens the run again."""

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

LIST = f"""(runs, ...others) => {{
  {_READ}
  const known = read();
  const older = (Array.isArray(runs) ? runs : []).filter(id => !known.includes(id));
  return [older.length ? add([...known, ...older]) : known, ...others];
}}"""
"""Returns the list of runs, with those that an older version kept in a gr.BrowserState."""

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
  watch('{MEMORY}', '{SYNC_MEMORY}');
}}"""
"""Presses a hidden button when another tab has changed a value, as soon as this tab is visible."""
