"""A headless Chromium, driven by Selenium, for the pages that the library writes.

Where there is none, tests that need one are skipped; DYCE_SEARCH_BROWSER=required makes that a failure.
"""

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

NAMES = ("chromium", "chromium-browser", "google-chrome")
OPTIONS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
)
# Calls back once that many frames have been drawn.
FRAMES = """
const [count, done] = arguments;
const next = (left) => requestAnimationFrame(() => { if (left) next(left - 1); else done(); });
next(count);
"""


class Browser:
    """A browser with one page, whose console and whose requests are watched.

    Args:
        driver: of Selenium.
    """

    def __init__(self, driver: Any) -> None:
        self.driver = driver

    def open(self, path: Path, *, width: int = 1200, height: int = 900, dark: bool = False) -> None:
        """Loads a page from disk, and forgets what the last one did."""
        self.resize(width, height)
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"media": "", "features": [scheme]})
        for kind in ("browser", "performance"):
            self.driver.get_log(kind)
        self.driver.get(path.as_uri())
        self.settle()

    def resize(self, width: int, height: int) -> None:
        """The window, in CSS pixels; a narrow one is that of a phone."""
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 500}
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)
        self.settle()

    def settle(self) -> None:
        """Waits until what has changed is drawn: before that, a finger or a mouse meets the picture before it."""
        self.driver.execute_async_script(FRAMES, 3)

    def run(self, script: str, *arguments: Any) -> Any:
        """What a function body returns in the page."""
        return self.driver.execute_script(script, *arguments)

    def complaints(self) -> list[str]:
        """What the console has shown since the page was opened."""
        return [entry["message"] for entry in self.driver.get_log("browser")]

    def requests(self) -> list[str]:
        """What the page asked for since it was opened, but for itself and data that it holds."""
        messages = [json.loads(entry["message"])["message"] for entry in self.driver.get_log("performance")]
        asked = [
            found["params"]["request"]["url"] for found in messages if found["method"] == "Network.requestWillBeSent"
        ]
        own = urlsplit(self.driver.current_url).path
        return [url for url in asked if not url.startswith("data:") and urlsplit(url).path != own]

    def one(self, selector: str) -> Any:
        """The first element that a CSS selector finds."""
        return self.driver.find_element("css selector", selector)

    def text(self, selector: str) -> str:
        """What stands in it, shown or not."""
        return str(self.run("return document.querySelector(arguments[0]).textContent", selector))


@contextmanager
def browsing() -> Iterator[Browser]:
    """A browser, as long as it is needed; skips or fails where there is none."""
    binary = next(filter(None, map(shutil.which, NAMES)), None)
    program = shutil.which("chromedriver")
    try:
        from selenium import webdriver
        from selenium.webdriver.chrome.service import Service
    except ImportError:
        webdriver = None
    if binary is None or program is None or webdriver is None:
        missing = "the Python package selenium" if webdriver is None else "chromium and chromedriver"
        unavailable = pytest.fail if os.environ.get("DYCE_SEARCH_BROWSER") == "required" else pytest.skip
        unavailable(f"this test drives a browser, and {missing} cannot be found")
    options = webdriver.ChromeOptions()
    options.binary_location = binary
    for option in OPTIONS:
        options.add_argument(option)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(program))
    try:
        driver.set_page_load_timeout(30)
        yield Browser(driver)
    finally:
        driver.quit()
