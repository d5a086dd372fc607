"""Runs notebooks from top to bottom in a fresh kernel and stores what they show.

``run_notebook`` is the whole of it: it runs a copy in memory and measures time and memory; ``execute``
writes the file only if no cell raised.
"""

from __future__ import annotations

import copy
import os
import re
import subprocess
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tools.checkout import need
from tools.normalise import normalise
from tools.notebook_files import read_notebook, write_notebook

ANSI_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
# One thread each: results then do not depend on the number of cores, and lessons run side by side do not
# slow each other.
ONE_THREAD = {name: "1" for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")}
TABLE_HEAD = "cells  seconds  cpu s  peak MB  file kB"  # of the columns in `table_row`


@dataclass(frozen=True)
class Run:
    """One execution of a notebook: what it gave and what it cost."""

    notebook: Any  # the executed and normalised copy
    wall_seconds: float  # from the start of the kernel to the last output
    # User and system time of the kernel and its children, and its largest resident memory; None without /proc.
    cpu_seconds: float | None
    peak_mb: float | None
    problem: str | None  # which cell raised what; None if all went well
    changed: tuple[str, ...] = ()  # the cells that said something else when they were run again


def run_notebook(
    notebook: Any, folder: Path, cell_seconds: float = 600.0, again: bool = False
) -> Run:
    """Run a copy of ``notebook`` in a fresh kernel whose current directory is ``folder``.

    A cell that takes longer than ``cell_seconds`` counts as a failure. The notebook passed in is left as it
    is. With ``again``, each cell is then run once more, from the last to the first, as students do: it should
    say what it said before.
    """
    nbclient = need("nbclient")
    notebook = copy.deepcopy(notebook)
    start, problem, usage, changed = time.perf_counter(), None, (None, None), []
    with tempfile.TemporaryDirectory() as settings:
        client = nbclient.NotebookClient(
            notebook,
            km=_kernel_of_this_python(),
            timeout=cell_seconds,
            startup_timeout=300,
            iopub_timeout=300,  # seconds until a finished cell's last output is given up
            record_timing=False,
            store_widget_state=False,
            force_raise_errors=True,
        )
        environment = kernel_environment(settings)
        # What cells print reaches the notebook another way; the kernel process itself only logs its set-up.
        quiet = {"stderr": subprocess.DEVNULL}
        with client.setup_kernel(cwd=str(folder), env=environment, cleanup_kc=True, **quiet):
            problem = _run_cells(client, notebook)
            wall = time.perf_counter() - start
            usage = kernel_usage(getattr(client.km.provisioner, "pid", None))
            executed = copy.deepcopy(notebook)
            if again and not problem:
                changed = _run_backwards(client, notebook)
    return Run(normalise(executed), wall, *usage, problem, tuple(changed))


def _run_cells(client: Any, notebook: Any) -> str | None:
    """Execute the cells in order up to the first failure; returns that failure in words."""
    for index, cell in enumerate(notebook.cells):
        if problem := _run_cell(client, cell, index):
            return problem
    return None


def _run_backwards(client: Any, notebook: Any) -> list[str]:
    """Execute the cells of an executed notebook again, last to first; returns what failed or said something else."""
    changed = []
    for index, cell in reversed(list(enumerate(notebook.cells))):
        if cell.cell_type == "code":
            before = _said(cell)
            problem = _run_cell(client, cell, index)
            if problem or _said(cell) != before:
                changed.append(problem or f"{_cell_name(index, cell)} says {_said(cell)[:200]!r}")
    return changed


def _said(cell: Any) -> str:
    """The text that a code cell printed or returned, pictures aside."""
    texts = [
        output.text
        if output.output_type == "stream"
        else output.get("data", {}).get("text/plain", "")
        for output in cell.outputs
    ]
    return "".join(texts)


def _run_cell(client: Any, cell: Any, index: int) -> str | None:
    """Execute a cell; returns its failure in words, None if all went well."""
    errors = need("nbclient.exceptions")
    try:
        client.execute_cell(cell, index)
    except errors.CellExecutionError as error:
        return (
            f"{_cell_name(index, cell)} raised {error.ename}: {ANSI_COLOUR.sub('', error.evalue)}"
        )
    except errors.CellTimeoutError:
        return f"{_cell_name(index, cell)} took longer than {client.timeout:g} s."
    except errors.DeadKernelError:
        return f"{_cell_name(index, cell)}: the kernel died."
    return None


def _cell_name(index: int, cell: Any) -> str:
    """A cell as an author finds it: its place in the file, its id, its first line."""
    first = next((line for line in cell.source.splitlines() if line.strip()), "")
    return f"cell {index} '{cell.id}' ({first.strip()[:60]})"


def kernel_environment(settings: str) -> dict[str, str]:
    """Environment of the kernel: one thread, inline figures, and no personal IPython settings."""
    environment = {**os.environ, **ONE_THREAD, "IPYTHONDIR": settings}
    environment.pop(
        "MPLBACKEND", None
    )  # anything but the kernel's own inline backend would leave no figures
    return environment


def _kernel_of_this_python() -> Any:
    """A kernel manager for the interpreter that runs this command, whatever kernels the user has
    registered."""
    specs, client, ipykernel = (
        need("jupyter_client.kernelspec"),
        need("jupyter_client"),
        need("ipykernel.kernelspec"),
    )

    class ThisPython(specs.KernelSpecManager):
        def get_kernel_spec(self, kernel_name: str) -> Any:
            return specs.KernelSpec(resource_dir=ipykernel.RESOURCES, **ipykernel.get_kernel_dict())

    return client.AsyncKernelManager(kernel_name="python3", kernel_spec_manager=ThisPython())


def kernel_usage(pid: int | None) -> tuple[float | None, float | None]:
    """CPU seconds (children included) and peak resident MB of a process, from /proc; (None, None) without
    it."""
    folder = Path(f"/proc/{pid}")
    if pid is None or not (folder / "stat").exists():
        return None, None
    # The name in field 2 may hold spaces; fields 14 to 17 are user and system time, own and children's.
    fields = (folder / "stat").read_text().rpartition(")")[2].split()
    cpu = sum(int(ticks) for ticks in fields[11:15]) / os.sysconf("SC_CLK_TCK")
    peak = re.search(r"VmHWM:\s+(\d+) kB", (folder / "status").read_text())
    return cpu, int(peak[1]) / 1024 if peak else None


def execute(paths: list[Path], cell_seconds: float = 600.0) -> int:
    """Run each notebook and store its outputs; prints a table; returns 1 if a cell raised, else 0."""
    width = max((len(path.stem) for path in paths), default=6)
    print(f"{'lesson':{width}}  {TABLE_HEAD}")
    failures = []
    for path in paths:
        run = run_notebook(read_notebook(path), path.parent, cell_seconds)
        if run.problem:
            failures.append(f"{path}: not written. {run.problem}")
            mark = "failed"
        else:
            mark = "written" if write_notebook(run.notebook, path) else "unchanged"
        print(f"{path.stem:{width}}  {table_row(run, path)}  {mark}", flush=True)
    for failure in failures:
        print(failure)
    return 1 if failures else 0


def table_row(run: Run, path: Path) -> str:
    """Cells, seconds, CPU seconds, peak MB and file kB of a run, in columns."""
    cpu = "-" if run.cpu_seconds is None else f"{run.cpu_seconds:.1f}"
    peak = "-" if run.peak_mb is None else f"{run.peak_mb:.0f}"
    size = path.stat().st_size / 1024
    return (
        f"{len(run.notebook.cells):5d}  {run.wall_seconds:7.1f}  {cpu:>5}  {peak:>7}  {size:7.0f}"
    )
