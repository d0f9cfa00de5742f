"""A headless Chromium that counts what a page loads."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from selenium import webdriver
from selenium.common.exceptions import WebDriverException
from selenium.webdriver.common.by import By
from selenium.webdriver.remote.webelement import WebElement

BROWSER, DRIVER = "/usr/bin/chromium", "/usr/bin/chromedriver"
"""Where Debian's package `chromium-driver` and its browser are."""
QUIET = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-sync "
    "--disable-background-networking --disable-component-update --autoplay-policy=no-user-gesture-required"
).split()

VISIBLE_TEXT = """
const words = [];
const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
while (walker.nextNode()) {
  const node = walker.currentNode, parent = node.parentElement;
  if (parent.closest('[aria-hidden=true]')) continue;
  if (!node.data.trim() || ['SCRIPT', 'STYLE', 'NOSCRIPT'].includes(parent.tagName)) continue;
  if (!parent.checkVisibility({opacityProperty: true, visibilityProperty: true})) continue;
  const range = document.createRange();
  range.selectNodeContents(node);
  const box = range.getBoundingClientRect();
  const style = getComputedStyle(parent);
  if (box.width < 2 || box.height < 2 || style.clipPath === 'inset(50%)') continue;
  if (box.top >= innerHeight || box.bottom <= 0 || box.left >= innerWidth || box.right <= 0) continue;
  words.push(...node.data.trim().split(/\\s+/));
}
return words;
"""
"""Returns the words of all text that is inside the window and not hidden."""


@dataclass
class Loaded:
    """What a page has loaded.

    Attributes:
        requests: Number of requests.
        num_bytes: Bytes transferred.
        hosts: Other hosts that were asked.
        errors: Errors in the console, and answers of 400 or more.
    """

    requests: int = 0
    num_bytes: int = 0
    hosts: set[str] = field(default_factory=set)
    errors: list[str] = field(default_factory=list)


class Person:
    """A person with a browser.

    Args:
        driver: The browser.
        address: Address of the page.
    """

    def __init__(self, driver: webdriver.Chrome, address: str) -> None:
        self.driver = driver
        self.address = address
        self.clicks = 0
        self.loaded = Loaded()

    def open(self, query: str = "") -> float:
        """Open the page. Return the seconds until its first button can be pressed."""
        began = time.perf_counter()
        self.driver.get(self.address + query)
        self.wait(lambda: self.find("[role=tab]"), 30)
        return time.perf_counter() - began

    def find(self, selector: str, text: str = "") -> WebElement | None:
        """Return the first visible element, which contains the text if one is given, or None."""
        for element in self.driver.find_elements(By.CSS_SELECTOR, selector):
            try:
                if element.is_displayed() and (not text or text in element.text):
                    return element
            except WebDriverException:
                continue
        return None

    def all(self, selector: str) -> list[WebElement]:
        """Return all elements."""
        return self.driver.find_elements(By.CSS_SELECTOR, selector)

    def press(self, selector: str, text: str = "", *, timeout_s: float = 20) -> None:
        """Press an element and count the click. Raise TimeoutError if it does not appear."""
        element = self.wait(lambda: self.find(selector, text), timeout_s, f"{selector} {text!r}")
        self.driver.execute_script("arguments[0].scrollIntoView({block: 'center'})", element)
        element.click()
        self.clicks += 1

    def wait(self, ready: Callable[[], Any], timeout_s: float, what: str = "the page") -> Any:
        """Return the first true value of `ready`. Raise TimeoutError if there is none in time."""
        end = time.perf_counter() + timeout_s
        while time.perf_counter() < end:
            try:
                value = ready()
            except WebDriverException:
                value = None
            if value:
                return value
            time.sleep(0.05)
        raise TimeoutError(f"{what} did not appear within {timeout_s:.0f} s")

    def script(self, code: str, *values: Any) -> Any:
        """Return the value of a script."""
        return self.driver.execute_script(code, *values)

    def words(self) -> list[str]:
        """Return the words in the window."""
        return list(self.script(VISIBLE_TEXT))

    def violations(self, axe: Path) -> list[str]:
        """Return what axe-core finds on the page: each rule with its first element."""
        self.script(axe.read_text(encoding="utf-8"))
        run = "const done = arguments[0]; axe.run().then(found => done(found.violations));"
        found = self.driver.execute_async_script(run)
        return [f"{one['id']}: {one['nodes'][0]['html'][:160]}" for one in found]

    def picture(self, file: Path) -> None:
        """Save a picture of the window."""
        file.parent.mkdir(parents=True, exist_ok=True)
        self.driver.save_screenshot(str(file))

    def count(self) -> Loaded:
        """Return what was loaded so far."""
        own = urlsplit(self.address).netloc
        for entry in self.driver.get_log("performance"):  # type: ignore[no-untyped-call]
            message = json.loads(entry["message"])["message"]
            facts = message["params"]
            if message["method"] == "Network.requestWillBeSent":
                place = urlsplit(facts["request"]["url"])
                self.loaded.requests += place.scheme in ("http", "https")
                if place.scheme in ("http", "https", "ws", "wss") and place.netloc != own:
                    self.loaded.hosts.add(place.netloc)
            elif message["method"] == "Network.loadingFinished":
                self.loaded.num_bytes += int(facts["encodedDataLength"])
            elif (
                message["method"] == "Network.responseReceived"
                and facts["response"]["status"] >= 400
            ):
                self.loaded.errors.append(facts["response"]["url"])
        for entry in self.driver.get_log("browser"):  # type: ignore[no-untyped-call]
            if entry["level"] == "SEVERE":
                self.loaded.errors.append(entry["message"][:200])
        return self.loaded


@contextmanager
def visitor(
    address: str, size: tuple[int, int], *, dark: bool = False, still: bool = False
) -> Iterator[Person]:
    """Yield a visitor with a fresh browser.

    Args:
        address: Address of the page.
        size: Width and height of the window in pixels; a width below 600 is a phone.
        dark: Prefer dark pages.
        still: Prefer reduced motion.
    """
    options = webdriver.ChromeOptions()
    for argument in QUIET:
        options.add_argument(argument)
    options.binary_location = BROWSER
    options.set_capability("goog:loggingPrefs", {"performance": "ALL", "browser": "ALL"})
    service = webdriver.ChromeService(DRIVER)
    driver = webdriver.Chrome(options=options, service=service)
    try:
        width, height = size
        driver.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride",
            {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600},
        )
        motion = "reduce" if still else "no-preference"
        features = [
            {"name": "prefers-color-scheme", "value": "dark" if dark else "light"},
            {"name": "prefers-reduced-motion", "value": motion},
        ]
        driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
        driver.set_script_timeout(60)
        yield Person(driver, address)
    finally:
        driver.quit()
