"""The README's pictures: copies of what lessons show, so that they cannot differ from the lessons."""

from __future__ import annotations

import base64
from pathlib import Path

from tools.checkout import AuthoringError
from tools.notebook_files import read_notebook

FOLDER = Path("notebooks/pictures")
PICTURES = (  # file, lesson, how the picture's description begins
    ("two_cars.png", "00_start_here.ipynb", "A film of two cars"),
    ("brake_or_go.png", "01_one_car_one_light.ipynb", "A car three cells before"),
    (
        "contraction.png",
        "01_one_car_one_light.ipynb",
        "Largest error by sweep on a log scale for the grid",
    ),
    (
        "convergence.png",
        "02_learning_from_experience.ipynb",
        "Distance to the exact values over 20,000",
    ),
    ("portrait.png", "03_two_cars_meet.ipynb", "Left: the square of both cars'"),
    ("soccer.png", "04_from_games_to_markov_games.ipynb", "The pitch with A at row 1"),
    ("microscope.png", "05_the_moving_target.ipynb", "The microscope at step 3,250"),
    (
        "sweet_spot.png",
        "06_independent_q_learning.ipynb",
        "Left: the share of pairs at the best corner",
    ),
)


def stored_picture(notebook: Path, description: str) -> bytes:
    """The PNG stored in ``notebook`` whose description begins with ``description``.

    Raises:
        AuthoringError: if there is none.
    """
    for cell in read_notebook(notebook).cells:
        for output in cell.get("outputs", []):
            data = output.get("data", {})
            if "image/png" in data and "".join(data.get("text/plain", "")).startswith(description):
                return base64.b64decode("".join(data["image/png"]))
    raise AuthoringError(
        f"{notebook.name} shows no picture whose description begins: {description}"
    )


def write_pictures(root: Path, check: bool = False) -> list[str]:
    """Copy every picture of the README out of its lesson; returns the files that changed.

    With ``check`` nothing is written, and the files that would change are returned.

    Raises:
        AuthoringError: if a lesson no longer shows a picture.
    """
    changed = []
    for file, lesson, description in PICTURES:
        data = stored_picture(root / "notebooks" / lesson, description)
        path = root / FOLDER / file
        if not path.is_file() or path.read_bytes() != data:
            changed.append(str(FOLDER / file))
            if not check:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_bytes(data)
    return changed
