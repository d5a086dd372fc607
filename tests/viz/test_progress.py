"""The progress bar: it fills, and leaves nothing behind."""

from types import SimpleNamespace

from marl_lessons.algorithms import TabularConfig, minimax_q
from marl_lessons.envs import CATALOGUE
from marl_lessons.viz import progress_bar, widgets


def test_the_bar_fills_and_goes(capsys, monkeypatch) -> None:
    cleared = []
    monkeypatch.setattr(widgets, "get_ipython", lambda: SimpleNamespace(kernel=None))
    monkeypatch.setattr(widgets, "clear_output", lambda wait=False: cleared.append(wait))
    show = progress_bar("training")
    for share in (0.25, 0.5, 1.0):
        show(share)
    quarter, half = capsys.readouterr().out.splitlines()
    assert quarter == f"training: [{'#' * 10}{'.' * 30}]  25%"
    assert half.count("#") == 20 and half.endswith(" 50%")
    assert cleared == [
        True,
        True,
        False,
    ]  # the last one clears at once, and nothing is printed after it


def test_outside_a_notebook_the_bar_keeps_to_one_line_of_a_terminal(capsys, monkeypatch) -> None:
    for share in (0.25, 0.5, 1.0):
        progress_bar("training")(share)
    assert capsys.readouterr().out == ""
    monkeypatch.setattr(widgets.sys.stdout, "isatty", lambda: True)
    for share in (0.25, 0.5, 1.0):
        progress_bar("training")(share)
    shown = capsys.readouterr().out
    assert "\n" not in shown and "\x1b" not in shown and "25%" in shown
    assert shown.endswith(f"\r{' ' * 57}\r")


def test_a_learner_reports_every_hundredth_and_the_end() -> None:
    shares: list[float] = []
    game = CATALOGUE["matching pennies"].game
    for n_steps, calls in ((1000, 100), (30, 30)):
        shares.clear()
        config = TabularConfig(n_steps, n_records=1)
        silent = minimax_q(game, config=config, seeds=2)
        loud = minimax_q(game, config=config, seeds=2, progress=shares.append)
        assert len(shares) == calls and shares[-1] == 1.0 and shares == sorted(shares)
        assert (silent.q == loud.q).all()
