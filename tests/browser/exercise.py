"""Use every control of an open notebook the way a reader would, and report what does not work.

Each function returns a list of sentences, empty if all is well. A control is named by its cell's place in the
notebook (counted from 0) and its label.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from page import OUTPUT, NotebookPage

ARROW_STEPS = 2
FRAME_SECONDS = 60.0  # until an animation whose frame has not changed counts as stuck
TRACK = 120  # px that a slider's track measures at least
SLIDER, DROPDOWN, RADIO = ".noUi-handle", ".widget-dropdown select", "input[type=radio]"
AXE_RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]

# A picture counts once it is decoded; an error message stands in a paragraph of role "alert".
LOOK = """async output => {
  const pictures = [...output.querySelectorAll('.widget-html-content img')];
  await Promise.all(pictures.map(picture => picture.decode().catch(() => null)));
  return {
    sources: pictures.map(picture => picture.src),
    broken: pictures.filter(picture => !picture.naturalWidth).length,
    unnamed: pictures.filter(picture => !picture.alt.trim()).length,
    alerts: [...output.querySelectorAll('[role=alert]')].map(alert => alert.textContent),
  };
}"""

CELL_INDEX = (
    "e => [...document.querySelectorAll('.jp-Notebook .jp-Cell')].indexOf(e.closest('.jp-Cell'))"
)
LABEL = """e => e.closest('.widget-inline-hbox')?.querySelector('.widget-label')?.textContent
  || e.getAttribute('aria-label') || 'without a label'"""


@dataclass
class Control:
    """One control, the output that it stands in, and the sentences collected about it."""

    opened: NotebookPage
    element: Any
    output: Any
    name: str
    faults: list[str]

    def look(self, where: str) -> tuple[str, ...]:
        """The pictures shown now, as data; notes what is wrong with them at the setting ``where``."""
        self.faults += [f"{self.name}, {where}: {fault}" for fault in self.opened.settle()]
        seen = self.output.evaluate(LOOK)
        if seen["alerts"]:
            self.faults.append(
                f"{self.name}, {where}: an error message instead of a picture: {seen['alerts'][0]}"
            )
        elif not seen["sources"]:
            self.faults.append(f"{self.name}, {where}: no picture")
        elif seen["broken"] or seen["unnamed"]:
            self.faults.append(
                f"{self.name}, {where}: a picture that is broken or has no alternative text"
            )
        return tuple(seen["sources"] or seen["alerts"])

    def press(self, key: str) -> tuple[str, ...]:
        """Press a key on the control, then look."""
        self.element.press(key)
        return self.look(f"after {key}, at {self.position():g}")

    def position(self) -> float:
        """Where the slider stands, counted in options."""
        return float(self.element.get_attribute("aria-valuenow"))


def controls(opened: NotebookPage, kind: str) -> list[Control]:
    """Every control of a kind outside animations, in the order of the notebook."""
    found = []
    outputs = opened.page.locator(OUTPUT).filter(has=opened.page.locator(kind))
    for output in outputs.all():
        for element in output.locator(kind).all():
            if not element.evaluate("e => Boolean(e.closest('.marl-animation'))"):
                name = f"cell {element.evaluate(CELL_INDEX)}, '{element.evaluate(LABEL)}'"
                found.append(Control(opened, element, output, name, []))
    return found


def exercise_sliders(opened: NotebookPage) -> list[str]:
    """Move every slider by keyboard and by mouse, to both ends and a few steps from each."""
    return [fault for control in controls(opened, SLIDER) for fault in _exercise_slider(control)]


def _exercise_slider(control: Control) -> list[str]:
    handle = control.element
    low, high = (float(handle.get_attribute(f"aria-value{end}")) for end in ("min", "max"))
    start, n_steps = control.position(), int(min(ARROW_STEPS, high - low))
    handle.scroll_into_view_if_needed()
    # The first picture of all is stored with fewer colours, so only pictures drawn after a move are compared:
    # the one at the left end is, because of the move to the right end before it.
    width = handle.evaluate("e => e.closest('.noUi-base').getBoundingClientRect().width")
    if width < TRACK:
        control.faults.append(
            f"{control.name}: its track is {width:.0f} px wide; {TRACK} are needed"
        )
    control.press("End")
    _expect_position(control, high, "after End")
    at_low = control.press("Home")
    _expect_position(control, low, "after Home")
    steps = [control.press("ArrowRight") for _ in range(n_steps)]
    _expect_position(control, low + n_steps, f"after Home and {n_steps} arrows to the right")
    at_high = control.press("End")
    steps.append(control.press("ArrowLeft"))
    _expect_position(control, high - 1, "after End and an arrow to the left")
    if len({at_low, at_high, *steps}) == 1:
        control.faults.append(f"{control.name}: the picture is the same at every setting")
    for direction, end, expected in (("left", low, at_low), ("right", high, at_high)):
        if _has_two_handles(handle):
            # Where two handles meet, the mouse takes the one on top, which may be the other: move apart first.
            handle.press("ArrowLeft" if direction == "left" else "ArrowRight")
        _drag(control.opened.page, handle, direction)
        dragged = control.look(f"after the mouse dragged it to the {direction}")
        _expect_position(
            control, end, f"after the mouse dragged it to the {direction}, past its end"
        )
        if dragged != expected:
            control.faults.append(
                f"{control.name}: at {end:g} mouse and keyboard give different pictures"
            )
    for _ in range(int(high - start)):
        handle.press("ArrowLeft")
    control.opened.settle()
    return control.faults


def _expect_position(control: Control, expected: float, when: str) -> None:
    if abs(control.position() - expected) > 1e-6:
        control.faults.append(
            f"{control.name}: stands at {control.position():g} {when}, not at {expected:g}"
        )


def _has_two_handles(handle: Any) -> bool:
    track = handle.locator("xpath=ancestor::*[contains(@class, 'noUi-base')]")
    return track.locator(SLIDER).count() == 2


def _drag(page: Any, handle: Any, direction: str) -> None:
    """Drag a slider's handle with the mouse to the left or right, beyond the end of its track."""
    box = handle.bounding_box()
    track = handle.locator("xpath=ancestor::*[contains(@class, 'noUi-base')]").bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    end = track["x"] + track["width"] + 15 if direction == "right" else track["x"] - 15
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move((x + end) / 2, y, steps=2)
    page.mouse.move(end, y, steps=2)
    page.mouse.up()


def exercise_dropdowns(opened: NotebookPage) -> list[str]:
    """Choose every option of every drop-down list."""
    faults = []
    for control in controls(opened, DROPDOWN):
        n_options, start = control.element.evaluate("e => [e.options.length, e.selectedIndex]")
        # As for sliders: compare only pictures drawn after a choice.
        for index in (n_options - 1, 0):
            control.element.select_option(index=index)
            control.opened.settle()
        pictures = set()
        for index in range(n_options):
            control.element.select_option(index=index)
            pictures.add(control.look(f"with option {index}"))
        if n_options > 1 and len(pictures) == 1:
            control.faults.append(f"{control.name}: the picture is the same at every setting")
        control.element.select_option(index=start)
        control.opened.settle()
        faults += control.faults
    return faults


CROWDED = """e => [...e.querySelectorAll('.predict-options .widget-radio-box label')]
  .some(label => label.scrollHeight > label.clientHeight + 2)"""


def exercise_questions(opened: NotebookPage) -> list[str]:
    """Answer every question in every way; each answer must be followed by a comment that is read aloud."""
    faults = []
    questions = opened.page.locator(OUTPUT).filter(has=opened.page.locator(".predict-options"))
    for question in questions.all():
        name = f"cell {question.evaluate(CELL_INDEX)}, a question"
        radios, status = (
            question.locator(f".predict-options {RADIO}"),
            question.locator("[role=status]"),
        )
        if question.evaluate(CROWDED):
            faults.append(f"{name}: an option runs into the next")
        if any(radio.is_checked() for radio in radios.all()) or status.count():
            faults.append(f"{name}: answered before the reader answers")
        for k, radio in enumerate(radios.all()):
            radio.click()
            faults += [f"{name}: {fault}" for fault in opened.settle()]
            if status.count() != 1 or len(status.inner_text()) < 10:
                faults.append(f"{name}: no comment of role status follows answer {k}")
    return faults


# What an animation shows: where its frame slider stands, and its picture, whatever it is drawn with.
FRAME = """e => {
  const slider = e.querySelector('input[type=range], [role=slider]');
  const drawing = [...e.querySelectorAll('img, canvas, svg')].map(
    d => d.tagName === 'IMG' ? d.src : d.tagName === 'CANVAS' ? d.toDataURL() : d.outerHTML);
  return [slider?.value ?? slider?.getAttribute('aria-valuenow') ?? null, drawing.join()];
}"""


PAUSE = (
    "e => [...e.querySelectorAll('button')].find(button => button.textContent === 'Pause')?.click()"
)


def exercise_animations(opened: NotebookPage) -> list[str]:
    """Play every animation and move its frame slider, by keys and by touch: slider and picture must change."""
    faults = []
    for animation in opened.page.locator(f"{OUTPUT} .marl-animation").all():
        name = f"cell {animation.evaluate(CELL_INDEX)}, an animation"
        animation.scroll_into_view_if_needed()
        play = animation.get_by_role("button", name="Play")
        slider = animation.locator("input[type=range], [role=slider]")
        if play.count() != 1 or slider.count() != 1:
            faults.append(
                f"{name}: has {play.count()} Play buttons and {slider.count()} sliders, not one each"
            )
            continue
        before = animation.evaluate(FRAME)
        play.click()
        after = _changed(opened, animation, before)
        if after is None or _changed(opened, animation, after) is None:
            faults.append(f"{name}: does not move on after Play")
        animation.evaluate(PAUSE)
        for other, key in (
            ("Home", "End"),
            ("End", "Home"),
            ("Home", "ArrowRight"),
            ("End", "ArrowLeft"),
        ):
            slider.press(other)
            before = animation.evaluate(FRAME)
            slider.press(key)
            if _changed(opened, animation, before, alike="Arrow" in key) is None:
                faults.append(f"{name}: the frame stays the same after {key} on its slider")
        slider.press("Home")
        before, box = animation.evaluate(FRAME), slider.bounding_box()
        slider.tap(position={"x": box["width"] - 2, "y": box["height"] / 2})
        if _changed(opened, animation, before) is None:
            faults.append(f"{name}: the frame stays the same after a tap on its slider")
    return faults


def _changed(
    opened: NotebookPage, animation: Any, before: list[str], alike: bool = False
) -> list[str] | None:
    """The frame once both slider and picture differ from ``before``; None if that does not happen in time.

    ``alike``: the picture may stay, as neighbouring frames may show the same.
    """
    for _ in range(int(20 * FRAME_SECONDS)):
        now = animation.evaluate(FRAME)
        if now[0] != before[0] and (alike or now[1] != before[1]):
            return now
        opened.page.wait_for_timeout(50)
    return None


# JupyterLab gives a picture without alternative text the text "Image", which tells a reader nothing.
UNNAMED_PICTURES = f"""() => [...document.querySelectorAll('{OUTPUT} img')]
  .filter(picture => picture.getAttribute('alt') === null || picture.alt === 'Image')
  .map({CELL_INDEX})"""


def check_accessibility(opened: NotebookPage) -> list[str]:
    """What axe finds in the outputs, colour contrast included, and pictures without alternative text.

    Two findings are not ours to mend and left out: ipywidgets 8 gives the handle of a slider the role "slider"
    but no name of its own (axe's rule aria-input-field-name; the label stands beside it), and JupyterLab's numbers
    of outputs are pale in a narrow window.
    """
    from axe_playwright_python.sync_playwright import Axe

    if not opened.page.locator(OUTPUT).count():
        return []
    # JupyterLab's body has no height of its own, and axe takes all that is inside such a box for hidden.
    opened.page.evaluate("() => { document.body.style.minHeight = '100vh'; }")
    options = {"runOnly": AXE_RULES, "resultTypes": ["violations"]}
    result = Axe().run(opened.page, context=".jp-Notebook .jp-OutputArea", options=options).response
    faults = [
        f"accessibility: {finding['id']}: {finding['help']}: {node['html'][:200]}"
        for finding in result["violations"]
        for node in finding["nodes"]
        if not (finding["id"] == "aria-input-field-name" and "noUi-handle" in node["html"])
        and "jp-OutputPrompt" not in node["html"]
    ]
    unnamed = opened.page.evaluate(UNNAMED_PICTURES)
    return faults + [
        f"accessibility: cell {cell}: a picture without alternative text" for cell in unnamed
    ]


def exercise_all(opened: NotebookPage) -> list[str]:
    """Use all controls, check accessibility before and after, and add the page's own complaints."""
    faults = check_accessibility(opened)
    for exercise in (exercise_questions, exercise_sliders, exercise_dropdowns, exercise_animations):
        faults += exercise(opened)
    faults += [fault for fault in check_accessibility(opened) if fault not in faults]
    return faults + opened.complaints
