"""MarkovGame: what it accepts, refuses and derives."""

import copy
import dataclasses
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from random_games import random_game, random_policies, seed_numbers

from marl_lessons.envs import MarkovGame, cliff_walking, crossroads, jumping_grid, two_cars

ARRAYS = ("transition", "reward", "initial", "terminal", "outcome_reward")


@pytest.mark.parametrize(
    "game", [crossroads(), two_cars(), cliff_walking(), jumping_grid()], ids=lambda game: game.name
)
def test_arrays_are_read_only_and_fields_are_frozen(game):
    for key in ARRAYS:
        array = getattr(game, key)
        if array is not None:
            with pytest.raises(ValueError, match="read-only"):
                array[0] = 0
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(game, key, None)
    with pytest.raises(dataclasses.FrozenInstanceError):
        game.discount = 0.5


@pytest.mark.parametrize("order", ["C", "F"])
def test_the_callers_arrays_stay_theirs(order):
    given = random_game(np.random.default_rng(0), 3, (2, 3), outcomes=True)
    mine = {key: np.array(getattr(given, key), order=order) for key in ARRAYS if key != "reward"}
    before = {key: array.copy() for key, array in mine.items()}
    game = MarkovGame(reward=None, discount=0.9, **mine)
    for key, array in mine.items():
        assert np.array_equal(array, before[key]) and array.flags.writeable
        array[...] = 0
        assert np.allclose(getattr(game, key), before[key], atol=1e-15)
    assert np.array_equal(game.joint_transition.reshape(game.transition.shape), game.transition)


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda game: pickle.loads(pickle.dumps(game))])
def test_copies_are_read_only_too(copied):
    game = copied(two_cars())
    for key in ARRAYS:
        assert not getattr(game, key).flags.writeable
        assert np.array_equal(getattr(game, key), getattr(two_cars(), key))
    assert game.state_names == two_cars().state_names


def test_policies_of_short_floats_are_policies():
    """Rows of a network's softmax in float32 sum to 1 within its precision; they are divided by their sum."""
    game, rng = two_cars(), np.random.default_rng(0)
    for kind in (np.float32, np.float16):
        logits = rng.normal(size=(200, 10, 2)).astype(kind)
        policies = np.exp(logits) / np.exp(logits).sum(axis=-1, keepdims=True)
        assert policies.dtype == kind and (policies.sum(axis=-1, dtype=float) != 1).any()
        for policy in policies:
            (checked, _) = game.check_policies([policy, policy])
            assert np.abs(checked.sum(axis=-1) - 1).max() < 1e-15
    with pytest.raises(ValueError, match=r"^policies\[0\]\[0\] sums to"):
        game.check_policies([np.full((10, 2), 0.4995, np.float32)] * 2)


def test_policies_given_are_not_changed():
    game = two_cars()
    policies = [np.full((10, 2), 0.5) for _ in range(2)]
    game.joint_policy(policies)[...] = 0
    for checked in game.check_policies(policies):
        checked[...] = 0
    game.induced_mdp(0, policies)
    assert all((policy == 0.5).all() and policy.flags.writeable for policy in policies)


def test_defaults():
    game = random_game(np.random.default_rng(0), 4, (2, 3))
    assert game.initial == pytest.approx([1 / 3, 1 / 3, 1 / 3, 0])
    assert game.state_names == ("0", "1", "2", "3") and game.action_names == (
        ("0", "1"),
        ("0", "1", "2"),
    )
    assert (game.n_agents, game.n_states, game.n_actions) == (2, 4, (2, 3))
    assert not game.is_mdp and not game.is_matrix_game
    matrix = MarkovGame(np.ones((1, 2, 2, 1)), np.zeros((2, 1, 2, 2)), 0)
    assert matrix.is_matrix_game and not matrix.terminal.any() and matrix.initial.tolist() == [1]
    assert jumping_grid().is_mdp


def test_probabilities_within_the_tolerance_are_made_exact():
    row = np.array([1 / 3, 1 / 3, 1 / 3 + 9e-9])
    game = MarkovGame(np.broadcast_to(row, (3, 1, 3)), np.zeros((1, 3, 1)), 0.9, row)
    assert game.transition[0, 0] == pytest.approx(row / row.sum(), abs=1e-16)
    assert np.abs(game.transition.sum(axis=-1) - 1).max() < 1e-15


@given(seed_numbers, st.sampled_from([(3,), (2, 3), (3, 1, 2)]), st.booleans())
def test_joint_views_number_the_actions_in_c_order(seed, n_actions, outcomes):
    rng = np.random.default_rng(seed)
    game = random_game(rng, 3, n_actions, outcomes=outcomes)
    policies = random_policies(rng, game)
    joint_policy = game.joint_policy(policies)
    joint = 0
    for actions in np.ndindex(n_actions):
        at = (slice(None), *actions)
        assert np.array_equal(game.joint_transition[:, joint], game.transition[at])
        assert np.array_equal(game.joint_reward[:, :, joint], game.reward[(slice(None), *at)])
        product = np.prod([policies[i][:, a] for i, a in enumerate(actions)], axis=0)
        assert np.allclose(joint_policy[:, joint], product, atol=1e-14)
        joint += 1
    assert joint_policy.shape == (3, joint) and np.allclose(joint_policy.sum(axis=1), 1)


@given(seed_numbers)
def test_expected_reward_is_the_mean_over_outcomes(seed):
    game = random_game(np.random.default_rng(seed), 3, (2, 3), outcomes=True)
    for i, s, a, b in np.ndindex(2, 3, 2, 3):
        mean = sum(
            game.transition[s, a, b, t] * game.outcome_reward[i, s, a, b, t] for t in range(3)
        )
        assert game.reward[i, s, a, b] == pytest.approx(mean, abs=1e-12)


@given(seed_numbers, st.booleans())
def test_another_beginning_shares_all_other_arrays(seed, outcomes):
    rng = np.random.default_rng(seed)
    game = random_game(rng, 4, (2, 3), outcomes=outcomes)
    initial = np.append(rng.dirichlet(np.ones(3)), 0.0)
    before = game.initial.copy()
    begun = game.with_initial(initial)
    assert np.allclose(begun.initial, initial) and np.array_equal(game.initial, before)
    assert begun.transition is game.transition and begun.reward is game.reward
    assert begun.outcome_reward is game.outcome_reward and not begun.initial.flags.writeable
    for wrong in ([0, 0, 0, 1], [1, 0, 0], [0.5, 0.4, 0, 0], [2, -1, 0, 0], "abc"):
        with pytest.raises(ValueError, match="initial"):
            game.with_initial(wrong)


def test_a_game_introduces_itself_in_one_line():
    game = random_game(np.random.default_rng(0), 3, (2, 3), discount=0.9)
    assert repr(game) == "MarkovGame('game': 2 agents, 3 states, actions (2, 3), discount 0.9)"


HALF, ZERO = np.full((2, 2, 2), 0.5), np.zeros((1, 2, 2))
ABSORBING = np.array([[[0.5, 0.5], [0.0, 1.0]], [[0.0, 1.0], [0.0, 1.0]]])
ENDS = np.array([False, True])
NAN, INF = float("nan"), float("inf")


def changed(array, index, value):
    array = np.array(array, dtype=float)
    array[index] = value
    return array


def build(**settings) -> MarkovGame:
    return MarkovGame(**{"transition": HALF, "reward": ZERO, "discount": 0.9, **settings})


PAID = changed(np.zeros((1, 2, 2, 2)), (0, 1, 0, 1), 1.0)
# The argument that the message must name, and settings that it refuses: a value for the argument itself, or several.
REFUSED = {
    "transition": [
        None, 1.0, "kernel", [], {}, np.array(1.0), np.eye(2), np.full((2, 2, 3), 1 / 3), np.zeros((0, 2, 0)),
        changed(HALF, (0, 1, 1), NAN), changed(HALF, (0, 1, 1), INF), changed(HALF, (0, 1), [1.5, -0.5]),
        changed(HALF, (1, 1), [0.5, 0.5 + 1e-7]), changed(HALF, (1, 0), [0.0, 0.0]), np.full((2, 2, 2), "a"),
        np.full((2, 2, 2), None), [[[1.0, 0.0], [1.0]], [[0.0, 1.0], [0.0, 1.0]]], HALF + 0.1j, np.full((2, 2, 2), "0.5"),
        np.zeros((2, 0, 2)),
    ],
    "reward": [
        None, 0.0, "reward", ZERO[0], np.zeros((2, 2, 2)), np.zeros((1, 2, 3)), [[[0.0, 0.0], [0.0]]], np.array(0.0),
        changed(ZERO, (0, 1, 0), NAN), changed(ZERO, (0, 1, 0), -INF), changed(ZERO, (0, 1, 0), 1e308),
        np.full((1, 2, 2), None), [[[10**400, 0], [0, 0]]],
        *({"reward": wrong, "outcome_reward": 0 * PAID} for wrong in (ZERO + 1.0, ZERO + NAN, "x", np.zeros((3, 7)), 0.0)),
    ],
    "discount": [
        -1e-9, 1 + 1e-9, NAN, INF, None, "most", "0.9", [0.9, 0.9], np.array(0.9), 0.9j, 10**400, True, 1.0,
        {"discount": 1.0, "transition": changed(ABSORBING, (0, 0), [1.0, 0.0]), "terminal": ENDS},
    ],
    "initial": [
        [0.5], [0.5, 0.6], [1.5, -0.5], [NAN, 1.0], 0, np.array(0), "start", [[0.5, 0.5]], [[0.5], [0.5, 0.5]],
    ],
    "terminal": [
        [False, True, False], True, np.array(True), "last", ENDS, [[True], [True, False]],  # ENDS: not absorbing
        {"terminal": [0, 1], "transition": ABSORBING},
        {"terminal": ENDS, "transition": ABSORBING, "reward": changed(ZERO, (0, 1, 1), 1e-12)},
        {"terminal": ENDS, "transition": ABSORBING, "reward": None, "outcome_reward": PAID},
        {"terminal": [True, True], "transition": np.stack([np.eye(2)] * 2, axis=1)},
    ],
    "outcome_reward": [
        {"reward": None, "outcome_reward": wrong}
        for wrong in (np.zeros((1, 2, 2)), np.full((1, 2, 2, 2), NAN), "x", PAID * 1e308)
    ],
    "state_names": [("one",), "ab", 2, b"ab", {"a", "b"}, np.array("ab")],
    "action_names": [(("a",),), ("ab",), (("a", "b"), ("c", "d")), (), 1, (2,), {0: ("a", "b")}, np.array(1)],
    "episodic": ["no", 1, None, {"discount": 1.0, "episodic": "no"}],
}  # fmt: skip


@pytest.mark.parametrize("argument", REFUSED)
def test_refused_by_name(argument):
    for value in REFUSED[argument]:
        several = isinstance(value, dict) and argument in value
        with pytest.raises(ValueError, match=argument):
            build(**(value if several else {argument: value}))


@pytest.mark.parametrize("initial", [[0.5, 0.5], [0.0, 1.0], [1 - 1e-300, 1e-300]])
def test_no_episode_begins_in_a_terminal_state(initial):
    with pytest.raises(ValueError, match=r"initial\[1\] is .* terminal"):
        build(transition=ABSORBING, terminal=ENDS, initial=initial)
    assert build(transition=ABSORBING, terminal=ENDS, initial=[1, 0]).initial.tolist() == [1, 0]


def test_names_may_be_any_sequence():
    game = build(state_names=np.array(["a", "b"]), action_names=[range(2)])
    assert game.state_names == ("a", "b") and game.action_names == (("0", "1"),)
    assert build(discount=1.0, episodic=np.True_).episodic is True


@given(seed_numbers, st.floats(1e-7, 10), st.booleans())
def test_one_wrong_probability_anywhere_is_found(seed, amount, upwards):
    rng = np.random.default_rng(seed)
    game = random_game(rng, 3, (2, 3))
    index = tuple(int(rng.integers(k)) for k in game.transition.shape)
    wrong = changed(
        game.transition, index, game.transition[index] + (amount if upwards else -amount)
    )
    with pytest.raises(ValueError, match="transition") as caught:
        MarkovGame(wrong, game.reward, 0.9)
    assert ", ".join(map(str, index[:-1])) in str(caught.value)


@given(seed_numbers, st.sampled_from([(3,), (2, 3), (2, 3, 2)]))
def test_policies_that_are_none(seed, n_actions):
    rng = np.random.default_rng(seed)
    game = random_game(rng, 3, n_actions)
    good = random_policies(rng, game)
    agent = int(rng.integers(len(n_actions)))
    p = good[agent]
    bad = [
        None, "policy", p[:-1], p[:, :-1], p.T[:, :0], p * 1.001, -p, p + NAN, changed(p, (0, 0), INF), p[None],
        [[1.0]] * 3 + [[0.5]],
    ]  # fmt: skip
    for wrong in bad:
        policies = [wrong if i == agent else q for i, q in enumerate(good)]
        for use in (game.joint_policy, game.check_policies):
            with pytest.raises(ValueError, match=rf"policies\[{agent}\]"):
                use(policies)
        for other in set(range(len(n_actions))) - {agent}:
            with pytest.raises(ValueError, match=rf"policies\[{agent}\]"):
                game.induced_mdp(other, policies)
    for wrong in (good[1:], [*good, p], None, "ab", 3, {0: p}, p):
        with pytest.raises(ValueError, match="policies"):
            game.joint_policy(wrong)


@pytest.mark.parametrize("agent", [-1, 2, 0.0, "0", None, True, NAN, [0]])
def test_induced_mdp_refuses_other_agents(agent):
    with pytest.raises(ValueError, match="agent"):
        two_cars().induced_mdp(agent, [np.full((10, 2), 0.5)] * 2)


def test_a_policy_that_never_ends_at_discount_one():
    kernel = np.array([[[1.0, 0.0], [0.0, 1.0]], [[0.0, 1.0], [0.0, 1.0]]])
    with pytest.raises(ValueError, match="discount is 1, but from state 0"):
        build(transition=kernel, terminal=ENDS, discount=1)
    assert build(transition=kernel, terminal=ENDS, discount=1, episodic=True).discount == 1
    slow = changed(kernel, (0, 0), [1 - 1e-9, 1e-9])
    assert build(transition=slow, terminal=ENDS, discount=1).discount == 1


def test_two_states_that_lead_to_each_other_never_end():
    """Each has one action that ends the episode and one that leads to the other: together they circle."""
    kernel = np.zeros((3, 2, 3))
    kernel[0, 0, 1] = kernel[1, 1, 0] = kernel[0, 1, 2] = kernel[1, 0, 2] = 1.0
    kernel[2, :, 2] = 1.0
    with pytest.raises(ValueError, match="discount"):
        MarkovGame(kernel, np.zeros((1, 3, 2)), 1.0, terminal=np.array([False, False, True]))


def test_the_sum_of_two_agents_actions_decides_about_ending():
    """The episode ends only if both agents agree: with γ = 1 it may go on for ever, though each has an
    ending action."""
    kernel = np.zeros((2, 2, 2, 2))
    kernel[0, ..., 0] = 1.0
    kernel[0, 1, 1] = [0.0, 1.0]
    kernel[1, ..., 1] = 1.0
    with pytest.raises(ValueError, match="discount"):
        MarkovGame(kernel, np.zeros((2, 2, 2, 2)), 1.0, terminal=ENDS)
