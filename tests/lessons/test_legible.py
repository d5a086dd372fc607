"""Figures can be read on a phone: their smallest type has 9 px where a picture is shown 354 px wide.

Once the lessons are executed anew, `PYTHONPATH=. python tests/lessons/test_legible.py` prints the list of this file.
"""

from __future__ import annotations

import base64
import io
from pathlib import Path

import pytest
from lesson_file import ROOT
from PIL import Image

from marl_lessons.viz.style import SMALLEST_TYPE
from tools.checkout import lessons
from tools.notebook_files import read_notebook

# Cells whose pictures fall short today, by lesson; none may be added, and those that have become legible go.
FALL_SHORT = {
    "00": "animation picture picture-2",
    "01": "picture for-name-policy-in-policies-items history-np-zeros-mdp-n-states interactive curves-needed errors-np-abs-history-exact-v-max-axis-1 reds-np-linspace-1-30-117 interactive-2 grid-corners-jumping-grid-corner-grid from-dataclasses-import-replace",
    "02": "picture anywhere-replace-mdp-reward-none-initial interactive picture-2 interactive-2 picture-3 paths-name-grids-greedy-path-cliff-q-for picture-4 long-road-crossroads-distance-10-step-re",
    "03": "cross-catalogue-crossing-game three-crossing-prisoner-s-dilemma-stag-h pair-our-crossing-cross-the-book-s-chick interactive pennies-shapley-catalogue-matching-penni start-np-array-0-3-0-7-np-array-0-6-0-4 interactive-2 interactive-3 runs-g-name-regret-matching-g-20-000-see start-centre-0-7-0-3-0-5-0-5-0-5-0-5-0-5",
    "04": "picture picture-2 cells-f-row-r-column-c-r-c-for-r-in-rang picture-3 interactive def-judge-policy",
    "05": "picture best-measure-best-response-values-kernel released-replace-both-learn-learns-none picture-2 step-sizes-0-0025-0-005-0-01-0-02-0-05-0 q-rates-np-zeros-2-2-np-array-0-02-0-002 start-rates-0-5-0-5-win-rate-0-5-lose-ra picture-3 interactive assert-split-the-patrol-frozen-0-0-2-spl ages-np-arange-0-41-in-records-of-20-ste ordinary-gauges-run-both-learn",
    "06": "def-where-they-end-game-config-pairs-100 picture warm-learn-independentconfig-5000-0-05-t picture-2 penalties-1-5-8-10-15-20-30 noisy-envs-stochastic-climbing interactive worlds-envs-trafficjunction-easy-envs-tr curves-blind-vision-0-blind-vision-1-sig",
    "09": "from-marl-lessons-algorithms-maddpg-loss recorded-measure-load-curves-measure-dat def-greedy-policy speaker-listener-together-policy-of-agen def-hear-policy-shift interactive probes-measure-record-probes-yard-1000-t longer-measure-load-curves-measure-data interactive-2 views-sees-everything-recorded-maddpg-co shared-out-measure-load-curves-measure-d faulty-measure-load-curves-measure-data",
    "10": "def-drive-with-n-bits picture interactive radios-nothing-one-bit-distance-random-s config-comm-riddleconfig-dial-n-updates recorded-measure-load-curves-measure-dat medium-measure-load-curves-measure-data words-word-colours-map-words-frames-mess interactive-2 priced-measure-load-curves-measure-data noises-x-tamper-noise-x-dice-for-x-in-0 interactive-3",
}


def type_in_pictures(path: Path) -> dict[str, float | None]:
    """Size of the smallest type in each cell's stored pictures by the cell's id; None where one has no note of it.

    A picture without a note is not one of `marl_lessons.viz`, or was stored before they had one.
    """
    sizes = {}
    for cell in read_notebook(path).cells:
        stored = [output.get("data", {}).get("image/png") for output in cell.get("outputs", [])]
        pictures = [Image.open(io.BytesIO(base64.b64decode(png))) for png in stored if png]
        if pictures:
            notes = [float(picture.info["type"]) for picture in pictures if "type" in picture.info]
            sizes[cell.id] = min(notes, default=None)
    return sizes


def too_small(sizes: dict[str, float | None]) -> list[str]:
    """The cells whose type is known to be too small."""
    return [name for name, size in sizes.items() if size is not None and size < SMALLEST_TYPE]


@pytest.mark.parametrize("path", lessons(ROOT), ids=lambda path: path.stem)
def test_type_is_large_enough_on_a_phone(path: Path) -> None:
    sizes, listed = type_in_pictures(path), FALL_SHORT.get(path.name[:2], "").split()
    new = {name: sizes[name] for name in too_small(sizes) if name not in listed}
    assert not new, f"smallest type in px at a width of 354 px: {new}; {SMALLEST_TYPE:g} are needed"
    unknown = [name for name, size in sizes.items() if size is None]
    legible = set(listed) - set(unknown) - set(too_small(sizes))
    assert not legible, f"these can be read now, or are gone; take them off the list: {legible}"


if __name__ == "__main__":
    print("FALL_SHORT = {")
    for path in lessons(ROOT):
        if small := too_small(type_in_pictures(path)):
            print(f'    "{path.name[:2]}": "{" ".join(small)}",')
    print("}")
