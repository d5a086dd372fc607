"""A progress bar for the few cells that take long; it leaves nothing behind."""

from __future__ import annotations

from collections.abc import Callable

from IPython.display import clear_output

WIDTH = 40


def progress_bar(label: str) -> Callable[[float], None]:
    """A function to be called with the share done, from 0 to 1: it shows a bar of text, and removes it at 1.

    What the cell printed before it goes as well, so train first and print afterwards.
    """

    def show(share: float) -> None:
        clear_output(wait=bool(share < 1))
        if share < 1:
            full = int(WIDTH * share)
            print(f"{label}: [{'#' * full}{'.' * (WIDTH - full)}] {share:4.0%}", flush=True)

    return show
