"""A real JupyterLab to test notebooks in.

It listens on 127.0.0.1 only and has settings, runtime files and notebooks of its own in a temporary folder,
so neither the user's Jupyter nor the stored notebooks are touched.
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
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
# A dialog or a request of one of these would get in the way, and none has to do with lessons: a news pop-up,
# and diffs and grading where their server halves are not running.
DISABLED_EXTENSIONS = (
    "@jupyterlab/apputils-extension:announcements",
    "nbdime-jupyterlab",
    "@jupyter/nbgrader",
)


@dataclass
class LabServer:
    """A running JupyterLab; notebooks below ``folder`` can be opened under ``address``."""

    process: subprocess.Popen[bytes]
    folder: Path
    address: str
    token: str

    def call(self, method: str, path: str) -> Any:
        """Call the server's own interface, as in ``call("GET", "api/sessions")``; returns what it says."""
        headers = {"Authorization": f"token {self.token}"}
        request = urllib.request.Request(f"{self.address}/{path}", method=method, headers=headers)
        with urllib.request.urlopen(request, timeout=300) as answer:
            body = answer.read()
        return json.loads(body) if body else None

    def end_kernels(self) -> None:
        """End every running kernel, so that one lesson's memory is free before the next begins."""
        for session in self.call("GET", "api/sessions"):
            self.call("DELETE", f"api/sessions/{session['id']}")


@contextlib.contextmanager
def lab_server(home: Path, start_seconds: float = 600.0) -> Iterator[LabServer]:
    """JupyterLab with all its files below the folder ``home``; ended, with its kernels, on leaving.

    Raises:
        RuntimeError: if it does not answer within ``start_seconds``; the message holds the end of its log.
    """
    folder, config, log = home / "work", home / "config", home / "jupyter.log"
    for needed in (
        folder,
        config / "labconfig",
        home / "settings" / "@jupyterlab" / "notebook-extension",
    ):
        needed.mkdir(parents=True)
    disabled = {"disabledExtensions": dict.fromkeys(DISABLED_EXTENSIONS, True)}
    (config / "labconfig" / "page_config.json").write_text(json.dumps(disabled))
    # Every cell is in the page from the beginning, not only those in sight.
    tracker = (
        home / "settings" / "@jupyterlab" / "notebook-extension" / "tracker.jupyterlab-settings"
    )
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
        *(
            "--MappingKernelManager.cull_idle_timeout=7200",
            "--ServerApp.shutdown_no_activity_timeout=7200",
        ),
    ]
    with log.open("wb") as lines:
        process = subprocess.Popen(
            command,
            cwd=folder,
            env=_own_settings(home),
            stdout=lines,
            stderr=lines,
            start_new_session=True,
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
    raise RuntimeError(
        f"JupyterLab did not answer within {seconds:g} s:\n{log.read_text()[-3000:]}"
    )


def _end(server: LabServer) -> None:
    """Ask the server to end, which ends its kernels too; force it only if it does not."""
    with contextlib.suppress(OSError):
        server.call("POST", "api/shutdown")
    try:
        server.process.wait(60)
    except subprocess.TimeoutExpired:
        os.killpg(server.process.pid, signal.SIGKILL)
        server.process.wait(60)


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
