"""A real JupyterLab with a real browser in front of it: start it, open a notebook, run all cells.

The server listens on 127.0.0.1 only and has settings, runtime files and notebooks of its own in a temporary
folder, so neither the user's Jupyter nor the stored notebooks are touched. The browser reaches nothing but
that server; what else a notebook asks for is refused and noted.
"""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

ROOT = Path(__file__).resolve().parents[2]
CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
# The badges at the top of a lesson are the only pictures that come from elsewhere; here they are blank.
BADGES = ("https://colab.research.google.com/assets/colab-badge.svg", "https://mybinder.org/badge_logo.svg")
BLANK = '<svg xmlns="http://www.w3.org/2000/svg" width="1" height="1"/>'
OUTPUT = ".jp-Notebook .jp-OutputArea-output"
# A dialog or a request of one of these would get in the way, and none has to do with lessons: a news pop-up,
# and diffs and grading where their server halves are not running.
DISABLED_EXTENSIONS = (
    "@jupyterlab/apputils-extension:announcements",
    "nbdime-jupyterlab",
    "@jupyter/nbgrader",
)
RUN_SECONDS = 240.0  # twice the time that a lesson may take, because of the browser beside it


def find_chromium() -> str | None:
    """The path of an installed Chromium or Chrome, None if there is none."""
    return next((path for path in map(shutil.which, CHROMIUM_NAMES) if path), None)


@dataclass
class LabServer:
    """A running JupyterLab; notebooks below ``folder`` can be opened under ``address``."""

    process: subprocess.Popen[bytes]
    folder: Path
    address: str
    token: str

    def call(self, method: str, path: str) -> Any:
        """Call the server's own interface, for instance ``call("GET", "api/sessions")``; returns what it says."""
        headers = {"Authorization": f"token {self.token}"}
        request = urllib.request.Request(f"{self.address}/{path}", method=method, headers=headers)
        with urllib.request.urlopen(request, timeout=10) as answer:
            body = answer.read()
        return json.loads(body) if body else None

    def end_kernels(self) -> None:
        """End every running kernel, so that one lesson's memory is free before the next begins."""
        for session in self.call("GET", "api/sessions"):
            self.call("DELETE", f"api/sessions/{session['id']}")


@contextlib.contextmanager
def lab_server(home: Path, start_seconds: float = 90.0) -> Iterator[LabServer]:
    """JupyterLab with all its files below the folder ``home``; ended, with its kernels, on leaving.

    Raises:
        RuntimeError: if it does not answer within ``start_seconds``; the message holds the end of its log.
    """
    folder, config, log = home / "work", home / "config", home / "jupyter.log"
    for needed in (folder, config / "labconfig", home / "settings" / "@jupyterlab" / "notebook-extension"):
        needed.mkdir(parents=True)
    disabled = {"disabledExtensions": dict.fromkeys(DISABLED_EXTENSIONS, True)}
    (config / "labconfig" / "page_config.json").write_text(json.dumps(disabled))
    # Every cell is in the page from the beginning, not only those in sight.
    tracker = home / "settings" / "@jupyterlab" / "notebook-extension" / "tracker.jupyterlab-settings"
    tracker.write_text(json.dumps({"windowingMode": "none"}))
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    token = secrets.token_hex(16)
    command = [
        *(sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root"),
        *("--ServerApp.ip=127.0.0.1", f"--ServerApp.port={port}", "--ServerApp.port_retries=0"),
        *(f"--IdentityProvider.token={token}", f"--ServerApp.root_dir={folder}"),
        *(
            "--LabApp.expose_app_in_browser=True",
            "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
        ),
        # Should this process be killed, the server and its kernels go by themselves.
        *("--MappingKernelManager.cull_idle_timeout=900", "--ServerApp.shutdown_no_activity_timeout=900"),
    ]
    with log.open("wb") as lines:
        process = subprocess.Popen(
            command, cwd=folder, env=_own_settings(home), stdout=lines, stderr=lines, start_new_session=True
        )
    server = LabServer(process, folder, f"http://127.0.0.1:{port}", token)
    try:
        _wait_for_answer(server, log, start_seconds)
        yield server
    finally:
        _end(server)


def _own_settings(home: Path) -> dict[str, str]:
    """The environment with every place where Jupyter keeps something moved below ``home``."""
    places = {
        "HOME": "home",
        "JUPYTER_CONFIG_DIR": "config",
        "JUPYTER_DATA_DIR": "data",
        "JUPYTER_RUNTIME_DIR": "runtime",
        "JUPYTERLAB_SETTINGS_DIR": "settings",
        "JUPYTERLAB_WORKSPACES_DIR": "workspaces",
        "IPYTHONDIR": "ipython",
    }
    environment = {**os.environ, **{name: str(home / place) for name, place in places.items()}}
    environment.pop("MPLBACKEND", None)
    return {
        **environment,
        "OMP_NUM_THREADS": "1",
        "JUPYTER_PLATFORM_DIRS": "1",
        "JUPYTER_PREFER_ENV_PATH": "1",
    }


def _wait_for_answer(server: LabServer, log: Path, seconds: float) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end and server.process.poll() is None:
        with contextlib.suppress(OSError):
            server.call("GET", "api/status")
            return
        time.sleep(0.2)
    raise RuntimeError(f"JupyterLab did not answer within {seconds:g} s:\n{log.read_text()[-3000:]}")


def _end(server: LabServer) -> None:
    """Ask the server to end, which ends its kernels too; force it only if it does not."""
    with contextlib.suppress(OSError, urllib.error.URLError):
        server.call("POST", "api/shutdown")
    try:
        server.process.wait(20)
    except subprocess.TimeoutExpired:
        os.killpg(server.process.pid, signal.SIGKILL)
        server.process.wait(10)


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
  const traffic = window.widgetTraffic = {open: new Set(), last: performance.now()};
  kernel.anyMessage.connect((_, {msg, direction}) => {
    const {msg_type, msg_id} = msg.header;
    if (direction === 'send' && msg_type === 'comm_msg') traffic.open.add(msg_id);
    else if (msg_type === 'status' && msg.content.execution_state === 'idle') traffic.open.delete(msg.parent_header.msg_id);
    else if (msg_type !== 'comm_msg') return;
    traffic.last = performance.now();
  });
}"""

WIDGETS_ARE_QUIET = """() => {
  const traffic = window.widgetTraffic;
  return traffic.open.size === 0 && performance.now() - traffic.last > 60;
}"""

# A cell that raised ends the run, unless it is marked as one that may raise.
RUN_STATE = """() => {
  const state = {unfinished: [], errors: []};
  [...window.jupyterapp.shell.currentWidget.content.model.cells].forEach((cell, index) => {
    if (cell.type !== 'code' || !cell.sharedModel.getSource().trim()) return;
    if (cell.executionCount === null || cell.executionState === 'running') state.unfinished.push(index);
    if ((cell.getMetadata('tags') ?? []).includes('raises-exception')) return;
    for (let k = 0; k < cell.outputs.length; k++) {
      const output = cell.outputs.get(k).toJSON();
      if (output.output_type === 'error') state.errors.push(`cell ${index} raised ${output.ename}: ${output.evalue}`);
    }
  });
  return state;
}"""

RUN_IS_OVER = (
    f"() => {{ const state = ({RUN_STATE})(); return state.errors.length || !state.unfinished.length; }}"
)

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
        self.page.evaluate("() => { window.jupyterapp.commands.execute('notebook:run-all-cells'); }")
        over = self._holds(RUN_IS_OVER, seconds, polling=200)
        state = self.page.evaluate(RUN_STATE)
        if not over:
            return [f"cell {state['unfinished'][0]} had not finished after {seconds:g} s"]
        if not state["errors"] and not self._holds(WIDGETS_ARE_SHOWN, 30):
            return ["a widget's place in the page stayed empty for 30 s"]
        return state["errors"] or self.settle()

    def settle(self, seconds: float = 60.0) -> list[str]:
        """Wait until the kernel has dealt with every change of a widget; returns a complaint if it does not."""
        self.page.evaluate("() => { window.widgetTraffic.last = performance.now(); }")
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

    def screenshot(self, path: Path, max_height: int = 16_000) -> None:
        """Save a picture of the whole notebook, not only of what fits on a screen."""
        height = self.page.evaluate(
            "() => Math.max(...[...document.querySelectorAll('.jp-WindowedPanel-outer')].map(e => e.scrollHeight))"
        )
        before = self.page.viewport_size
        self.page.set_viewport_size({"width": before["width"], "height": min(max_height, height + 150)})
        self.page.wait_for_timeout(300)
        path.parent.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=path)
        self.page.set_viewport_size(before)


@contextlib.contextmanager
def open_notebook(
    browser: Any, server: LabServer, name: str, seconds: float = 120.0
) -> Iterator[NotebookPage]:
    """Open ``name`` (a path below ``server.folder``) in a fresh page and wait for its kernel."""
    context = browser.new_context(viewport={"width": 1280, "height": 1000})
    opened = NotebookPage(context.new_page())
    try:
        _watch(context, opened)
        opened.page.goto(
            f"{server.address}/lab/tree/{name}?reset&token={server.token}", timeout=1000 * seconds
        )
        opened.page.wait_for_function(KERNEL_IS_READY, timeout=1000 * seconds, polling=200)
        opened.page.evaluate(FOLLOW_WIDGET_MESSAGES)
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
            opened.complaints.append(f"console error: {message.text} ({message.location.get('url', '')})")

    def note_socket(connection: Any) -> None:
        if urlsplit(connection.url).hostname != "127.0.0.1":
            opened.complaints.append(f"asked for {connection.url}, outside this machine")

    context.route("**/*", decide)
    opened.page.on("console", note_console)
    opened.page.on("pageerror", lambda error: opened.complaints.append(f"page error: {error}"))
    opened.page.on("websocket", note_socket)


def serve_copy(server: LabServer, notebook: Path) -> str:
    """Copy a notebook, without outputs, to where the server finds it; returns the name to open it by."""
    import nbformat

    content = nbformat.read(notebook, as_version=4)
    for cell in content.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    copy = server.folder / "notebooks" / notebook.name
    copy.parent.mkdir(exist_ok=True)
    nbformat.write(content, copy)
    for extra in ("data", "notebooks/images"):
        if (ROOT / extra).is_dir() and not (server.folder / extra).exists():
            shutil.copytree(ROOT / extra, server.folder / extra)
    return f"notebooks/{notebook.name}"
