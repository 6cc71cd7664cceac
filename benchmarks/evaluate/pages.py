"""The times that the viewer of ten thousand episodes takes to paint and to filter in a headless chromium.

Times are measured by the browser's own clock."""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median

_ARGUMENTS = (
    "--no-sandbox --disable-gpu --disable-quic --disable-background-networking --disable-component-update "
    "--disable-sync"
).split()
_PAINT = "performance.getEntriesByType('paint').find(one => one.name === 'first-contentful-paint')?.startTime ?? null"
# Milliseconds from an input event until the frame after the list was redrawn.
_FILTER = """([field, value]) => new Promise(done => {
  const element = document.getElementById(field);
  const started = performance.now();
  element.value = value;
  element.dispatchEvent(new Event('input', { bubbles: true }));
  const handled = performance.now();
  requestAnimationFrame(() => setTimeout(() => done([handled - started, performance.now() - started]), 0));
})"""


@dataclass(frozen=True)
class Viewing:
    """Milliseconds. `filters`: by filter, until the list is redrawn (`handled`) and until that is painted."""

    episodes: int
    megabytes: float
    first_paint: float
    texts_ready: float
    filters: Mapping[str, tuple[float, float]]


def chromium() -> str | None:
    """The path of chromium; None if chromium or playwright is missing."""
    try:
        import playwright  # noqa: F401
    except ImportError:
        return None
    return shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


def view(page: Path, episodes: int, filters: Sequence[tuple[str, str, str]], repeats: int) -> Viewing:
    """Open the page `repeats` times; `filters` are (name, field, value). Medians."""
    from playwright.sync_api import sync_playwright

    paints, ready = [], []
    times: dict[str, list[tuple[float, float]]] = {name: [] for name, _, _ in filters}
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium(), args=_ARGUMENTS)
        for _ in range(repeats):
            tab = browser.new_page(viewport={"width": 1280, "height": 900})
            tab.goto(page.resolve().as_uri())
            tab.wait_for_selector("html[data-ready=yes]", state="attached", timeout=120_000)
            ready.append(tab.evaluate("performance.now()"))
            paints.append(tab.evaluate(_PAINT))
            for name, field, value in filters:
                times[name].append(tuple(tab.evaluate(_FILTER, [field, value])))
                tab.evaluate(_FILTER, [field, ""])
            tab.close()
        browser.close()
    medians = {name: (median(h for h, _ in of), median(p for _, p in of)) for name, of in times.items()}
    return Viewing(episodes, page.stat().st_size / 1e6, median(paints), median(ready), medians)
