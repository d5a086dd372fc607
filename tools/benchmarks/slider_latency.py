"""How long a reader waits: from a key press on a slider to the changed picture, in JupyterLab and Chromium.

    python tools/benchmarks/slider_latency.py [notebook ...]

moves every slider of the named notebooks (default: all lessons) back and forth with the arrow keys and prints
milliseconds per slider. This is a measurement, not a test: on a busy machine it says little.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from itertools import cycle
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tests" / "browser"))  # the browser tests' way to open a notebook

from exercise import SLIDER, Control, controls  # noqa: E402
from lab import lab_server, serve_copy  # noqa: E402
from page import chromium, find_chromium, open_notebook  # noqa: E402

MOVES = 24
BUDGET_MS = 200

# Notes when a key goes down and when the next frame is painted after the picture's data have changed.
WATCH = """output => {
  const shown = () => [...output.querySelectorAll('img')];
  const times = window.pictureTimes = {pressed: null, painted: null};
  let before = shown().map(picture => picture.src).join();
  output.ownerDocument.addEventListener('keydown', () => {
    times.pressed = performance.now();
    times.painted = null;
  }, true);
  new MutationObserver(async () => {
    const now = shown().map(picture => picture.src).join();
    if (now === before) return;
    before = now;
    await Promise.all(shown().map(picture => picture.decode().catch(() => null)));
    requestAnimationFrame(() => { times.painted = performance.now(); });
  }).observe(output, {subtree: true, childList: true, attributes: true, attributeFilter: ['src']});
}"""
ELAPSED = "() => { const t = window.pictureTimes; return t.painted === null ? null : t.painted - t.pressed; }"


def latencies(control: Control) -> list[float]:
    """Milliseconds from key press to picture, for moves that change the picture."""
    handle = control.element
    handle.scroll_into_view_if_needed()
    handle.press("Home")
    control.opened.settle()
    control.output.evaluate(WATCH)
    n_steps = int(
        float(handle.get_attribute("aria-valuemax")) - float(handle.get_attribute("aria-valuemin"))
    )
    there_and_back = cycle(["ArrowRight"] * n_steps + ["ArrowLeft"] * n_steps)
    measured: list[float] = []
    for _ in range(3 * MOVES):
        handle.press(next(there_and_back))
        control.opened.settle()
        elapsed = control.opened.page.evaluate(ELAPSED)
        if elapsed is not None:
            measured.append(elapsed)
        if len(measured) == MOVES:
            break
    return measured


def row(name: str, measured: list[float]) -> str:
    """A line of the table."""
    if len(measured) < 2:
        return f"{name:70} {len(measured):6}  the picture did not change"
    median = statistics.median(measured)
    slow_tenth = statistics.quantiles(measured, n=10, method="inclusive")[-1]
    over = "" if median <= BUDGET_MS else f"  over the budget of {BUDGET_MS} ms"
    return f"{name:70} {len(measured):6} {median:7.0f} {slow_tenth:7.0f} {max(measured):7.0f}{over}"


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("notebook", nargs="*", type=Path, help="default: all lessons")
    chosen = parser.parse_args().notebook or sorted((ROOT / "notebooks").glob("[0-9][0-9]_*.ipynb"))
    executable = find_chromium()
    if executable is None:
        sys.exit("No Chromium or Chrome on the PATH.")
    print(
        f"{'key press to picture, milliseconds':70} {'moves':>6} {'median':>7} {'p90':>7} {'max':>7}"
    )
    with (
        tempfile.TemporaryDirectory() as home,
        lab_server(Path(home)) as server,
        chromium(executable) as browser,
    ):
        for notebook in chosen:
            with open_notebook(browser, server, serve_copy(server, notebook.resolve())) as opened:
                for fault in opened.run_all():
                    print(f"{notebook.stem}: {fault}")
                for control in controls(opened, SLIDER):
                    print(row(f"{notebook.stem}, {control.name}", latencies(control)), flush=True)


if __name__ == "__main__":
    main()
