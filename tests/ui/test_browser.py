"""What the browser keeps: two tabs share one storage, as the scripts of the page see it."""

from __future__ import annotations

import json
import shutil
import subprocess
from typing import Any

import gradio as gr
import pytest

from procvid.ui import browser

STORAGE = """
const kept = new Map();
global.localStorage = {getItem: k => kept.has(k) ? kept.get(k) : null,
                       setItem: (k, v) => kept.set(k, String(v))};
global.history = {replaceState: (a, b, address) => { global.address = address; }};
"""
needs_node = pytest.mark.skipif(shutil.which("node") is None, reason="needs node")


def run(script: str) -> Any:
    """Run a script in which `answer` is set, and return it."""
    code = f"process.env.TZ = 'UTC';{STORAGE}{script}\nconsole.log(JSON.stringify(answer));"
    done = subprocess.run(["node", "-e", code], capture_output=True, text=True, check=True)
    return json.loads(done.stdout)


@needs_node
def test_two_tabs_add_to_one_list() -> None:
    script = f"""
    const [one, other, list] = [{browser.REMEMBER}, {browser.REMEMBER}, {browser.LIST}];
    one('a'); other('b'); one('c'); other('b'); one('');
    const answer = [list([], 0, 'b'), address];
    """
    assert run(script) == [[["b", "c", "a"], 0, "b"], "?run=b"]


@needs_node
def test_a_list_of_an_older_version_is_kept_and_damage_is_not() -> None:
    script = f"""
    const list = {browser.LIST};
    localStorage.setItem('{browser.RUNS}', JSON.stringify(['a', 5, 'b']));
    const answer = [list(['b', 'old'], 0, ''), list(null, 0, '')];
    for (const damaged of ['{{', '"x"', 'null']) {{
      localStorage.setItem('{browser.RUNS}', damaged);
      answer.push(list([], 0, ''));
    }}
    """
    both = [["a", "b", "old"], 0, ""]
    assert run(script) == [both, both, [[], 0, ""], [[], 0, ""], [[], 0, ""]]


@needs_node
def test_the_list_has_a_limit_and_the_memory_is_shared() -> None:
    script = f"""
    const add = {browser.REMEMBER};
    for (let n = 0; n < 1100; n++) add('r' + n);
    ({browser.KEEP_MEMORY})('m');
    ({browser.KEEP_MEMORY})('');
    const read = {browser.READ_MEMORY};
    const answer = [({browser.LIST})([])[0].length, read('other')];
    """
    assert run(script) == [browser.MAX_RUNS, "m"]


@needs_node
def test_a_tab_reads_again_when_it_is_seen() -> None:
    script = f"""
    let pressed = [], look;
    global.document = {{hidden: true, addEventListener: () => {{}},
                       getElementById: id => ({{click: () => pressed.push(id)}})}};
    const looks = [];
    global.window = {{addEventListener: (name, what) => name === 'storage' && looks.push(what)}};
    ({browser.WATCH})();
    const wake = () => looks.forEach(each => each());
    localStorage.setItem('{browser.MEMORY}', 'm');
    wake();
    document.hidden = false;
    wake(); wake();
    localStorage.setItem('{browser.RUNS}', '["a"]');
    wake();
    document.getElementById = () => null;
    ({browser.DONE})('changed');
    document.getElementById = id => ({{click: () => pressed.push(id)}});
    wake(); wake();
    const answer = pressed;
    """
    assert run(script) == [browser.SYNC_MEMORY, browser.SYNC_RUNS, browser.SYNC_RUNS]


@needs_node
def test_a_browser_without_storage_keeps_the_list_of_its_tab() -> None:
    script = f"""
    const refuse = () => {{ throw new Error('SecurityError'); }};
    global.localStorage = {{getItem: refuse, setItem: refuse}};
    ({browser.REMEMBER})('a'); ({browser.REMEMBER})('b');
    const answer = ({browser.LIST})([], 0);
    """
    assert run(script) == [["b", "a"], 0]


@needs_node
def test_the_address_follows_the_library_and_the_list_knows_if_it_is_seen() -> None:
    script = f"""
    global.location = {{pathname: '/page'}};
    let list = {{querySelectorAll: () => [], offsetParent: null}};
    global.document = {{hidden: true, getElementById: () => list}};
    const answer = [], done = {browser.DONE}, waking = {browser.WAKING};
    for (const what of ['opened abc', '', 'left']) {{ done(what); answer.push(address); }}
    answer.push(waking([], 0, '')[2]);
    list.offsetParent = {{}};
    answer.push(waking([], 0, '')[2]);
    document.hidden = false;
    answer.push(waking([], 0, '')[2]);
    """
    assert run(script) == ["?run=abc", "?run=abc", "/page", "left", "hidden", "seen"]


def test_the_page_uses_the_scripts(app: gr.Blocks) -> None:
    scripts = [event.js for event in app.fns.values()]
    names = ("REMEMBER", "REMEMBER_PAIR", "LIST", "WATCH")
    counts = {name: scripts.count(getattr(browser, name)) for name in names}
    # Three buttons make runs, one makes twins. The list is read when the library is opened, searched,
    # filtered or pressed, when another tab has changed it, and twice by the Evaluate tab.
    assert counts == {"REMEMBER": 3, "REMEMBER_PAIR": 1, "LIST": 7, "WATCH": 1}
    assert browser.KEEP_MEMORY in scripts and scripts.count(browser.READ_MEMORY) == 2
    ids = {getattr(block, "elem_id", None) for block in app.blocks.values()}
    assert {browser.SYNC_RUNS, browser.SYNC_MEMORY} <= ids
