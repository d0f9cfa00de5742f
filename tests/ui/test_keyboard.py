"""The page by keyboard, in a real browser: order, names, rings and sizes of what Tab reaches."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from typing import Any

import pytest

pytestmark = pytest.mark.slow

BROWSER = next(filter(None, map(shutil.which, ("chromium", "google-chrome"))), None)
DRIVER = shutil.which("chromedriver")
MAX_STOPS = 80

FACTS = """
const it = document.activeElement;
if (!it || it === document.body) return null;
const box = (node) => { const b = node.getBoundingClientRect(); return [b.left, b.top, b.right, b.bottom]; };
// A hidden radio button or checkbox shows its ring on the element beside it.
const ringed = [it, it.nextElementSibling, it.parentElement, it.closest('label,.wrap,.container,.block')]
  .filter(Boolean).find(node => {
    const style = getComputedStyle(node);
    return (style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 1)
      || style.boxShadow !== 'none';
  });
const style = ringed ? getComputedStyle(ringed) : null;
const outline = style && style.outlineStyle !== 'none';
const grow = outline ? parseFloat(style.outlineWidth) + parseFloat(style.outlineOffset) : 0;
let clipped = '';
if (outline) {
  const [l, t, r, b] = box(ringed);
  for (let up = ringed.parentElement; up && up !== document.body; up = up.parentElement) {
    const around = getComputedStyle(up);
    if (!/hidden|clip|auto|scroll/.test(around.overflow)) continue;
    const spare = around.overflow === 'clip' ? parseFloat(around.overflowClipMargin) || 0 : 0;
    const [ul, ut, ur, ub] = box(up).map((edge, n) => edge + (n < 2 ? -spare : spare));
    if (l - grow < ul - .5 || r + grow > ur + .5 || t - grow < ut - .5 || b + grow > ub + .5)
      clipped = up.className || up.tagName;
  }
}
// The label of a radio button or checkbox is pressed like the button.
const pressed = /^(radio|checkbox)$/.test(it.type) ? it.closest('label') ?? it : it;
const [left, top, right, bottom] = box(pressed);
const names = [it.getAttribute('aria-label'), it.getAttribute('title'), it.textContent.trim(),
  it.labels && it.labels[0] && it.labels[0].textContent.trim(), it.placeholder];
return {
  tag: it.tagName, role: it.getAttribute('role') || '', name: names.find(Boolean) || '',
  ring: !!ringed, clipped, width: right - left, height: bottom - top,
  html: it.outerHTML.slice(0, 120), top: top + scrollY, left,
  place: [...document.querySelectorAll('*')].indexOf(it),
};
"""


@pytest.fixture(scope="module")
def driver(address: str) -> Iterator[Any]:
    """Return a browser that shows the page."""
    webdriver = pytest.importorskip("selenium.webdriver")
    if not BROWSER or not DRIVER:
        pytest.skip("needs Chromium and its driver")
    options = webdriver.ChromeOptions()
    options.binary_location = BROWSER
    for argument in ("--headless", "--no-sandbox", "--disable-gpu", "--window-size=1280,900"):
        options.add_argument(argument)
    browser = webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))
    browser.set_script_timeout(30)
    browser.get(address)
    wait = pytest.importorskip("selenium.webdriver.support.ui").WebDriverWait
    wait(browser, 60).until(
        lambda b: b.execute_script("return document.querySelectorAll('[role=tab]').length > 8")
    )
    yield browser
    browser.quit()


@pytest.fixture(scope="module")
def stops(driver: Any) -> list[dict[str, Any]]:
    """Press Tab until the page ends, and return what each press reaches."""
    keys = pytest.importorskip("selenium.webdriver.common.keys").Keys
    actions = pytest.importorskip("selenium.webdriver").ActionChains
    driver.execute_script("document.activeElement?.blur(); window.scrollTo(0, 0)")
    found: list[dict[str, Any]] = []
    for _ in range(MAX_STOPS):
        actions(driver).send_keys(keys.TAB).perform()
        # Rings are animated.
        time.sleep(0.3)
        stop = driver.execute_script(FACTS)
        if stop is None or (found and stop["place"] == found[0]["place"]):
            break
        found.append(stop)
    return found


def test_tab_goes_through_the_page_in_its_order_and_ends(stops: list[dict[str, Any]]) -> None:
    assert 8 < len(stops) < MAX_STOPS, [stop["html"] for stop in stops]
    places = [stop["place"] for stop in stops]
    assert places == sorted(places), [stop["html"] for stop in stops]
    tabs = [stop["name"] for stop in stops if stop["role"] == "tab"]
    assert tabs[0] == "Create", tabs
    assert any(stop["tag"] == "TEXTAREA" for stop in stops), "the recipe box is reached"


def test_each_stop_has_a_name_a_whole_ring_and_a_size(stops: list[dict[str, Any]]) -> None:
    assert not [stop["html"] for stop in stops if not stop["name"]]
    assert not [stop["html"] for stop in stops if not stop["ring"]]
    assert not [(stop["html"], stop["clipped"]) for stop in stops if stop["clipped"]]
    small = [
        (s["html"], s["width"], s["height"]) for s in stops if min(s["width"], s["height"]) < 24
    ]
    assert not [each for each in small if "footer" not in each[0]], small


def test_no_untranslated_words_are_read_out(driver: Any) -> None:
    by = pytest.importorskip("selenium.webdriver.common.by").By
    for number in range(len(driver.find_elements(by.CSS_SELECTOR, "[role=tab]"))):
        tab = driver.find_elements(by.CSS_SELECTOR, "[role=tab]")[number]
        driver.execute_script("arguments[0].click()", tab)
    live = driver.execute_script(
        "return [...document.querySelectorAll('[aria-live],[role=status],[role=alert]')]"
        ".map(each => each.textContent).join(' ')"
    )
    assert "common." not in live
