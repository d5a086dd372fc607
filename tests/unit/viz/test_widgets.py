"""Widgets, films and the progress bar: what they store for readers without a kernel, and what they do with one."""

from __future__ import annotations

import json
import re
import warnings
from types import SimpleNamespace

import matplotlib.pyplot as plt
import numpy as np
import pytest
from matplotlib.figure import Figure

from marl_lessons.algorithms import TabularConfig, minimax_q
from marl_lessons.envs import CATALOGUE
from marl_lessons.viz import (
    Animation,
    Interactive,
    Picture,
    choice,
    new_figure,
    progress_bar,
    slider,
    span,
    track,
    use_style,
)
from marl_lessons.viz import widgets as module


def draw_bar(height: float = 1.0, name: str = "a") -> Figure:
    """A bar of the given height; impossible for height 0."""
    if height == 0:
        raise ZeroDivisionError("no bar of height 0 <here>")
    figure, (ax,) = new_figure(size=(2, 1.5))
    ax.bar([name], [height])
    ax.set_ylim(0, 10)
    return figure


def make() -> Interactive:
    return Interactive(
        draw_bar,
        "A bar & its height.",
        height=slider("height", [0, 1, 5], value=1),
        name=choice("name", "ab"),
    )


def test_moving_a_slider_changes_the_picture_and_back_again_restores_it() -> None:
    widget = make()
    first = widget.image.value
    widget.controls["height"].value = 5
    moved = widget.image.value
    widget.controls["name"].value = "b"
    renamed = widget.image.value
    widget.controls["name"].value, widget.controls["height"].value = "a", 1
    assert len({moved, renamed, widget.image.value}) == 3
    assert widget.values == {"height": 1, "name": "a"}
    assert 'alt="A bar &amp; its height."' in first


def test_a_failing_draw_says_so_and_the_next_one_works() -> None:
    widget = make()
    widget.controls["height"].value = 0
    assert 'role="alert"' in widget.image.value
    assert "no bar of height 0 &lt;here&gt;" in widget.image.value
    widget.controls["height"].value = 5
    assert "<img" in widget.image.value


def test_bundle_has_a_picture_a_description_and_the_widget(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = []
    monkeypatch.setattr(module, "display", lambda *args, **options: shown.append((args, options)))
    widget = make()
    widget._ipython_display_()
    (bundle,), options = shown[0]
    assert options == {"metadata": {"image/png": {"alt": "A bar & its height."}}, "raw": True}
    assert bundle["text/plain"] == "A bar & its height."
    assert bundle["application/vnd.jupyter.widget-view+json"]["model_id"] == widget.box.model_id
    assert bundle["image/png"] in widget.image.value and "text/html" not in bundle


def test_colab_shows_the_widget_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    shown = []
    monkeypatch.setattr(module, "display", lambda *args, **options: shown.append(args))
    monkeypatch.setitem(module.sys.modules, "google.colab", object())
    widget = make()
    widget._ipython_display_()
    assert shown == [(widget.box,)]


def test_controls_are_labelled_and_reachable() -> None:
    control = slider("mean red (seconds)", [1, 2.5, ("long", 60)], value=2.5)
    assert control.description == "mean red (seconds)"
    assert [text for text, _ in control.options] == ["1", "2.5", "long"]
    assert not control.continuous_update


@pytest.mark.parametrize("count", [0, 5])
def test_number_of_controls(count: int) -> None:
    with pytest.raises(ValueError, match="controls"):
        Interactive(
            lambda **_: draw_bar(), "A bar.", **{f"c{k}": slider("x", [1]) for k in range(count)}
        )


@pytest.mark.parametrize("alt", ["", "  ", None])
def test_a_description_is_needed(alt) -> None:
    with pytest.raises(ValueError, match="alt"):
        Interactive(draw_bar, alt, height=slider("height", [1]))
    with pytest.raises(ValueError, match="alt"):
        Picture(draw_bar(), alt)


def test_picture_is_the_same_every_time_and_carries_its_description() -> None:
    one, two = (Picture(draw_bar(3.0), 'A "bar".')._repr_mimebundle_() for _ in range(2))
    assert one == two
    one, metadata = one
    assert one["text/plain"] == metadata["image/png"]["alt"] == 'A "bar".'
    assert re.match(
        r'<img alt="A &quot;bar&quot;." style="[^"]*" src="data:image/png;base64,', one["text/html"]
    )


@pytest.mark.parametrize("make_control", [slider, choice, span])
@pytest.mark.parametrize("options", [[], (), {}, range(0), 5, None, [(1, 2, 3)], [("", 1), ("x",)]])
def test_controls_need_options(make_control, options) -> None:
    with pytest.raises(ValueError, match=r"^options\b"):
        make_control("x", options, value=(1, 1) if make_control is span else 1)


@pytest.mark.parametrize("make_control", [slider, span])
@pytest.mark.parametrize("options", ["ab", [None], [[1, 2]]])
def test_values_of_a_slider_need_a_text_unless_they_are_numbers(make_control, options) -> None:
    with pytest.raises(ValueError, match=r"^options: expected numbers or \(text, value\) pairs"):
        make_control("x", options, value=(1, 1))


@pytest.mark.parametrize("value", [3, "1", "one", [1], (1, 2)])
def test_a_value_must_be_among_the_options(value) -> None:
    for make_control in (slider, choice):
        with pytest.raises(ValueError, match=r"^value is .*; allowed are \[1, 2\]"):
            make_control("x", [1, ("two", 2)], value=value)


def test_a_value_is_found_within_rounding() -> None:
    for make_control, value, expected in (
        (slider, 0.3, 0.1 * 3),
        (choice, 0.3, 0.1 * 3),
        (span, (0.3, 0.7), (0.1 * 3, 0.1 * 7)),
    ):
        assert make_control("p", np.linspace(0, 1, 11), value).value == expected
    assert abs(slider("p", np.arange(-0.3, 0.4, 0.1), 0).value) < 1e-12
    with pytest.raises(ValueError, match=r"^value is 0.31; allowed are \[0.0, 0.1, "):
        slider("p", np.linspace(0, 1, 11), 0.31)


def test_figures_of_pyplot_are_closed_once_drawn() -> None:
    def draw(height: float) -> Figure:
        figure, ax = plt.subplots(figsize=(2, 1.5))
        ax.plot([0, height])
        if height == 30:
            raise ValueError("too high")
        return figure

    use_style()
    widget = Interactive(draw, "A line.", height=slider("height", range(3)))
    Picture(draw(1), "A line.")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        Animation([draw(height) for height in range(24)], "A line that rises.")
    assert plt.get_fignums() == []
    first = widget.image.value
    widget.controls["height"].value = 2
    assert plt.get_fignums() == [] and "<img" in widget.image.value != first
    # An error leaves none open, neither that of a film nor that of a setting; what the reader has opened stays.
    mine = plt.figure().number
    with pytest.raises(ValueError, match="too high"):
        Animation((draw(height) for height in (1, 30)), "A line that rises.")
    with pytest.raises(ValueError, match="too high"):
        Interactive(draw, "A line.", height=slider("height", [30]))
    widget = Interactive(draw, "A line.", height=slider("height", [1, 30]))
    widget.controls["height"].value = 30
    assert plt.get_fignums() == [mine] and 'role="alert"' in widget.image.value
    plt.close(mine)


@pytest.mark.parametrize("value", [None, 1, (1,), (1, 2, 3), "12", (1, 9), (9, 1), (2, 1), {1: 2}])
def test_a_span_is_a_pair_of_options_in_order(value) -> None:
    with pytest.raises(ValueError, match=r"^value\b"):
        span("x", [1, 2, 3], value=value)
    assert span("x", [1, 2, 3], value=(2, 2)).value == (2, 2)


@pytest.mark.parametrize("wrong", [3, "slider", [1, 2], slider, Figure()])
def test_every_control_is_a_widget_with_a_value(wrong) -> None:
    with pytest.raises(ValueError, match=r"^a: expected a widget"):
        Interactive(lambda a: draw_bar(), "A bar.", a=wrong)
    with pytest.raises(ValueError, match=r"^moment: expected a widget"):
        Interactive(lambda a, moment: draw_bar(), "A bar.", moment=wrong, a=slider("a", [1]))


def test_no_widget_stands_for_two_controls() -> None:
    one = slider("x", [1, 2])
    with pytest.raises(ValueError, match=r"^moment is the same widget as a; each needs its own"):
        Interactive(lambda a, moment: draw_bar(), "A bar.", moment=one, a=one)
    with pytest.raises(ValueError, match=r"^b is the same widget as a"):
        Interactive(lambda a, b: draw_bar(), "A bar.", a=one, b=one)


@pytest.mark.parametrize("draw", [None, "draw_bar", 3])
def test_a_draw_is_a_function(draw) -> None:
    with pytest.raises(ValueError, match=r"^draw\b"):
        Interactive(draw, "A bar.", height=slider("height", [1]))


def frames(n: int):
    for k in range(n):
        figure, (ax,) = new_figure(size=(1.5, 1.2))
        ax.plot([0, k], [0, 1])
        yield figure


def page(film: Animation) -> tuple[dict, dict]:
    """The film's bundle and the settings of its script."""
    bundle, metadata = film._repr_mimebundle_()
    assert metadata == {"image/png": {"alt": film.alt}}
    return bundle, json.loads(re.search(r"\)\((\{.*\})\);</script>", bundle["text/html"])[1])


def test_page_holds_still_and_all_frames() -> None:
    bundle, film = page(Animation(frames(3), "A line that turns.", still=1))
    assert len(set(film["frames"])) == 3
    assert film["still"] == 1 and film["frames"][1] == bundle["image/png"]
    assert 'alt="A line that turns."' in bundle["text/html"]
    assert f'data-film="{film["film"]}"' in bundle["text/html"].split("<script>")[0]


def test_same_frames_same_page_and_films_of_one_still_have_their_own_names() -> None:
    assert page(Animation(frames(2), "A line.")) == page(Animation(frames(2), "A line."))
    films = [
        Animation(frames(2), "Two.", still=0),
        Animation(frames(3), "Three.", still=0),
        Animation(frames(3), "Slow.", still=0, frames_per_second=2),
    ]
    assert len({page(film)[1]["film"] for film in films}) == 3
    assert len({page(film)[0]["image/png"] for film in films}) == 1


@pytest.mark.parametrize(
    ("argument", "make"),
    [
        ("figures", lambda: Animation([], "Nothing.")),
        ("alt", lambda: Animation(frames(1), "")),
        ("still", lambda: Animation(frames(2), "Two.", still=2)),
        ("frames_per_second", lambda: Animation(frames(1), "One.", frames_per_second=0)),
    ],
)
def test_bad_arguments_of_a_film_are_named(argument: str, make) -> None:
    with pytest.raises(ValueError, match=argument):
        make()


def test_the_bar_fills_and_goes(monkeypatch) -> None:
    shown = []

    def display(contents, raw, display_id):
        shown.append(contents["text/plain"])
        return SimpleNamespace(update=lambda now, raw: shown.append(now["text/plain"]))

    monkeypatch.setattr(module, "get_ipython", lambda: SimpleNamespace(kernel=None))
    monkeypatch.setattr(module, "display", display)
    assert list(track("abcd", "training")) == list("abcd")
    none, quarter, half, _, over = shown
    assert none.count("#") == 0 and half.count("#") == 20 and half.endswith(" 50%")
    assert quarter == f"training: [{'#' * 10}{'.' * 30}]  25%"
    assert over == ""


def test_outside_a_notebook_the_bar_keeps_to_one_line_of_a_terminal(capsys, monkeypatch) -> None:
    for share in (0.25, 0.5, 1.0):
        progress_bar("training")(share)
    assert capsys.readouterr().out == ""
    monkeypatch.setattr(module.sys.stdout, "isatty", lambda: True)
    for share in (0.25, 0.5, 1.0):
        progress_bar("training")(share)
    shown = capsys.readouterr().out
    assert "\n" not in shown and "\x1b" not in shown and "25%" in shown
    assert shown.endswith(f"\r{' ' * 57}\r")


@pytest.mark.parametrize(("n_steps", "calls"), [(1000, 101), (30, 31), (150, 76)])
def test_a_learner_tells_how_far_it_is_some_100_times_from_0_to_1(n_steps: int, calls: int) -> None:
    shares: list[float] = []
    game, config = CATALOGUE["matching pennies"].game, TabularConfig(n_steps, n_records=1)
    silent = minimax_q(game, config=config, seeds=2)
    loud = minimax_q(game, config=config, seeds=2, progress=shares.append)
    assert len(shares) == calls and shares[0] == 0.0 and shares[-1] == 1.0
    assert shares == sorted(shares) and (silent.q == loud.q).all()


def draw_dot(moment=0, window=(0, 1)):
    figure, (ax,) = new_figure(size=(2, 1.5))
    ax.plot([moment], [window[1] - window[0]], "o")
    ax.set(xlim=(-1, 6), ylim=(-1, 6))
    return figure


def test_the_slider_through_time_stands_below_the_picture_and_a_span_has_two_ends():
    widget = Interactive(
        draw_dot,
        "A dot that moves.",
        moment=slider("moment", range(5)),
        window=span("from … to", range(4), value=(0, 3)),
    )
    assert [type(child).__name__ for child in widget.box.children] == [
        "SelectionRangeSlider",
        "HTML",
        "SelectionSlider",
    ]
    assert widget.values == {"window": (0, 3), "moment": 0}
    first = widget.image.value
    widget.controls["moment"].value = 4
    moved = widget.image.value
    widget.controls["window"].value = (2, 2)
    assert len({first, moved, widget.image.value}) == 3


def test_a_moment_does_not_count_among_the_four_controls():
    four = {name: slider(name, range(2)) for name in "abcd"}
    Interactive(
        lambda **values: draw_dot(values["moment"]), "A dot.", moment=slider("t", [1]), **four
    )
    with pytest.raises(ValueError, match=r"^controls: 5 given"):
        Interactive(lambda **values: draw_dot(), "A dot.", e=slider("e", [1]), **four)


def test_a_drawing_that_returns_nothing_is_told_so():
    for show in (
        lambda: Interactive(lambda a: None, "Nothing.", a=slider("a", [1, 2])),
        lambda: Animation([None], "Nothing."),
    ):
        with pytest.raises(
            ValueError, match=r"^figure: expected a Figure, as draw\(…\) should return, got None"
        ):
            show()
