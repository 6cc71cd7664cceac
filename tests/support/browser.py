"""A headless chromium for the tests of pages; they skip, with the reason, where there is none."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@dataclass
class Opened:
    """A page, and everything that went wrong in it: console errors, exceptions, requests to anywhere but the file."""

    page: Any
    troubles: list[str] = field(default_factory=list)

    def show(self, path: Path, fragment: str = "") -> None:
        self.page.goto(f"{path.resolve().as_uri()}{fragment}")

    def overflows(self) -> bool:
        """Whether the page is wider than its window."""
        return self.page.evaluate("document.documentElement.scrollWidth > innerWidth")


@contextmanager
def browser() -> Iterator[Any]:
    """The browser. Skips the test where playwright or chromium is missing."""
    api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("no chromium on this machine")
    with api.sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        try:
            yield running
        finally:
            running.close()


def opened(running: Any, width: int = 1280, height: int = 900) -> Opened:
    """A new page that notes its troubles."""
    made = Opened(running.new_page(viewport={"width": width, "height": height}))
    made.page.on("pageerror", lambda error: made.troubles.append(str(error)))
    made.page.on("dialog", lambda dialog: (made.troubles.append(dialog.message), dialog.dismiss()))
    made.page.on("console", lambda said: made.troubles.append(said.text) if said.type in ("error", "warning") else None)
    local = ("file:", "data:")
    made.page.on("request", lambda asked: None if asked.url.startswith(local) else made.troubles.append(asked.url))
    return made
