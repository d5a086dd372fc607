"""A notebook in a browser: open it in JupyterLab, run all cells, wait for its widgets, note its complaints.

The browser reaches nothing but the server; what else a notebook asks for is refused and noted.
"""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from lab import LabServer

CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
# The badges at the top of a lesson are the only pictures that come from elsewhere; here they are blank.
BADGES = (
    "https://colab.research.google.com/assets/colab-badge.svg",
    "https://mybinder.org/badge_logo.svg",
)
BLANK = '<svg xmlns="http://www.w3.org/2000/svg" width="1" height="1"/>'
OUTPUT = ".jp-Notebook .jp-OutputArea-output"
# Limits for what never ends; a quiet machine needs a tenth of them.
RUN_SECONDS, OPEN_SECONDS, WIDGET_SECONDS = 1200.0, 600.0, 300.0


def find_chromium() -> str | None:
    """The path of an installed Chromium or Chrome, None if there is none."""
    return next((path for path in map(shutil.which, CHROMIUM_NAMES) if path), None)


@contextlib.contextmanager
def chromium(executable: str) -> Iterator[Any]:
    """A headless browser (Playwright's ``Browser``) that resolves no name but this machine's own."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        names = "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"
        browser = playwright.chromium.launch(executable_path=executable, args=[names])
        try:
            yield browser
        finally:
            browser.close()


KERNEL_IS_READY = """() => {
  const panel = window.jupyterapp?.shell?.currentWidget;
  const kernel = panel?.sessionContext?.session?.kernel;
  return Boolean(kernel && panel.context.isReady && panel.sessionContext.isReady
    && kernel.connectionStatus === 'connected' && kernel.status === 'idle');
}"""

# Notes each message of a widget that the kernel has not finished with yet.
FOLLOW_WIDGET_MESSAGES = """() => {
  const kernel = window.jupyterapp.shell.currentWidget.sessionContext.session.kernel;
  const traffic = window.widgetTraffic = {open: new Set(), last: performance.now(), calm: 0};
  kernel.anyMessage.connect((_, {msg, direction}) => {
    const {msg_type, msg_id} = msg.header, finished = msg.content.execution_state === 'idle';
    if (direction === 'send' && msg_type === 'comm_msg') traffic.open.add(msg_id);
    else if (msg_type === 'status' && finished) traffic.open.delete(msg.parent_header.msg_id);
    else if (msg_type !== 'comm_msg') return;
    Object.assign(traffic, {last: performance.now(), calm: 0});
  });
}"""

# Asked once a frame. Frames are counted besides, because a busy machine may get nothing done in 60 ms.
WIDGETS_ARE_QUIET = """() => {
  const traffic = window.widgetTraffic;
  traffic.calm += 1;
  return traffic.open.size === 0 && traffic.calm > 3 && performance.now() - traffic.last > 60;
}"""

# A cell that raised ends the run, unless it is marked as one that may raise.
RUN_STATE = """() => {
  const state = {unfinished: [], errors: []};
  [...window.jupyterapp.shell.currentWidget.content.model.cells].forEach((cell, index) => {
    if (cell.type !== 'code' || !cell.sharedModel.getSource().trim()) return;
    if (cell.executionCount === null || cell.executionState === 'running') state.unfinished.push(index);
    if ((cell.getMetadata('tags') ?? []).includes('raises-exception')) return;
    for (let k = 0; k < cell.outputs.length; k++) {
      const {output_type, ename, evalue} = cell.outputs.get(k).toJSON();
      if (output_type === 'error') state.errors.push(`cell ${index} raised ${ename}: ${evalue}`);
    }
  });
  return state;
}"""

RUN_IS_OVER = f"() => {{ const state = ({RUN_STATE})(); return state.errors.length || !state.unfinished.length; }}"

# As many outputs hold a widget in the page as in the notebook.
WIDGETS_ARE_SHOWN = """() => {
  let expected = 0;
  for (const cell of window.jupyterapp.shell.currentWidget.content.model.cells) {
    for (let k = 0; k < (cell.outputs?.length ?? 0); k++) {
      if ('application/vnd.jupyter.widget-view+json' in cell.outputs.get(k).data) expected++;
    }
  }
  const outputs = [...document.querySelectorAll('.jp-Notebook .jp-OutputArea-output')];
  return outputs.filter(output => output.querySelector('.jupyter-widgets')).length === expected;
}"""


@dataclass
class NotebookPage:
    """A notebook open in the browser. ``complaints`` collects what the page asked for or reported in vain."""

    page: Any
    complaints: list[str] = field(default_factory=list)

    def run_all(self, seconds: float = RUN_SECONDS) -> list[str]:
        """Run all cells and wait for the end; returns what went wrong."""
        # The command's own promise is not awaited: it can stay open though every cell has run.
        self.page.evaluate(
            "() => { window.jupyterapp.commands.execute('notebook:run-all-cells'); }"
        )
        over = self._holds(RUN_IS_OVER, seconds, polling=200)
        state = self.page.evaluate(RUN_STATE)
        if not over:
            return [f"cell {state['unfinished'][0]} had not finished after {seconds:g} s"]
        if not state["errors"] and not self._holds(WIDGETS_ARE_SHOWN, WIDGET_SECONDS):
            return ["a widget's place in the page stayed empty"]
        return state["errors"] or self.settle()

    def settle(self, seconds: float = WIDGET_SECONDS) -> list[str]:
        """Wait until the kernel has dealt with every change of a widget; returns a complaint if not."""
        self.page.evaluate(
            "() => { Object.assign(window.widgetTraffic, {last: performance.now(), calm: 0}); }"
        )
        if self._holds(WIDGETS_ARE_QUIET, seconds):
            return []
        return [f"the kernel did not finish with a change of a widget within {seconds:g} s"]

    def _holds(self, condition: str, seconds: float, polling: Any = "raf") -> bool:
        from playwright.sync_api import TimeoutError as TimedOut

        try:
            self.page.wait_for_function(condition, timeout=1000 * seconds, polling=polling)
        except TimedOut:
            return False
        return True

    def screenshots(self, folder: Path, name: str, height: int = 2400) -> None:
        """Save the whole notebook as pictures name-1.png, name-2.png, … from top to bottom."""
        folder.mkdir(parents=True, exist_ok=True)
        before = self.page.viewport_size
        self.page.set_viewport_size({"width": before["width"], "height": height})
        panel = self.page.locator(".jp-WindowedPanel-outer").first
        content, visible = panel.evaluate("e => [e.firstElementChild.offsetHeight, e.clientHeight]")
        for k in range(-(-content // visible)):
            panel.evaluate("(e, top) => { e.scrollTop = top; }", k * visible)
            self.page.wait_for_timeout(200)
            self.page.screenshot(path=folder / f"{name}-{k + 1}.png")
        self.page.set_viewport_size(before)


@contextlib.contextmanager
def open_notebook(
    browser: Any, server: LabServer, name: str, seconds: float = OPEN_SECONDS, width: int = 1366
) -> Iterator[NotebookPage]:
    """Open ``name`` (a path below ``server.folder``) in a fresh page ``width`` px wide and wait for its kernel."""
    context = browser.new_context(viewport={"width": width, "height": 1000}, has_touch=True)
    context.set_default_timeout(1000 * WIDGET_SECONDS)
    opened = NotebookPage(context.new_page())
    try:
        _watch(context, opened)
        opened.page.goto(
            f"{server.address}/lab/tree/{name}?reset&token={server.token}", timeout=1000 * seconds
        )
        opened.page.wait_for_function(KERNEL_IS_READY, timeout=1000 * seconds, polling=200)
        opened.page.evaluate(FOLLOW_WIDGET_MESSAGES)
        if width < 800:  # a reader with so little room closes the list of files first
            opened.page.evaluate("() => window.jupyterapp.shell.collapseLeft()")
        yield opened
    finally:
        context.close()
        server.end_kernels()


def _watch(context: Any, opened: NotebookPage) -> None:
    """Refuse and note every request that leaves this machine, and note the page's own errors."""

    def decide(route: Any) -> None:
        url = route.request.url
        if url in BADGES:
            route.fulfill(status=200, content_type="image/svg+xml", body=BLANK)
        elif urlsplit(url).scheme in ("data", "blob") or urlsplit(url).hostname == "127.0.0.1":
            route.continue_()
        else:
            opened.complaints.append(f"asked for {url}, outside this machine")
            route.abort()

    def note_console(message: Any) -> None:
        if message.type == "error":
            opened.complaints.append(
                f"console error: {message.text} ({message.location.get('url', '')})"
            )

    def note_socket(connection: Any) -> None:
        if urlsplit(connection.url).hostname != "127.0.0.1":
            opened.complaints.append(f"asked for {connection.url}, outside this machine")

    context.route("**/*", decide)
    opened.page.on("console", note_console)
    opened.page.on("pageerror", lambda error: opened.complaints.append(f"page error: {error}"))
    opened.page.on("websocket", note_socket)
