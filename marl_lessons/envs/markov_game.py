"""`MarkovGame`: the one object behind every tabular problem of the course. All lessons.

With one agent it is a Markov decision process (MDP); with one state it is a matrix game; in general it is both at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from dataclasses import dataclass, field, replace
from numbers import Real

import numpy as np

from marl_lessons.checks import (
    LARGEST,
    as_booleans,
    as_bounded,
    as_distributions,
    as_flag,
    as_float_array,
    as_number,
    as_position,
)
from marl_lessons.envs.gymnasium_tables import toy_text_fields

LARGEST_REWARD = 1e12  # of a single event


@dataclass(frozen=True, eq=False)
class MarkovGame:
    """A finite Markov game ⟨I, S, {A_i}, T, {R_i}, μ⟩ with discount γ (Littman 1994; Albrecht et al. 2024, Sec. 3.3).

    transition  ``[S, A_1, …, A_n, S]``: T(s' | s, a), probabilities that sum to 1 over the last axis.
    reward      ``[n, S, A_1, …, A_n]``: R_i(s, a), the *expected* reward of agent i.
    discount    γ in [0, 1]. γ = 1 is allowed only if every policy reaches a terminal state, or if ``episodic`` is True.
    initial     ``[S]``: μ(s), where an episode begins, never in a terminal state; default: uniform over the others.
    terminal    ``[S]`` booleans: absorbing states without reward, in which an episode ends; default: none.
    outcome_reward  ``[n, S, A_1, …, A_n, S]`` or None: R_i(s, a, s'), the reward on arriving in s'. If given, ``reward``
                may be None and becomes its expectation Σ_s' T(s'|s,a) R_i(s,a,s'). Planning needs only ``reward``;
                simulation pays the outcome's reward where there is one.
    episodic    the caller's promise that the policies of interest terminate, where not every policy does.
    state_names, action_names (one tuple per agent), name: labels for plots; defaults are numbers.

    The arrays cannot be written to.
    """

    transition: np.ndarray
    reward: np.ndarray | None
    discount: float
    initial: np.ndarray | None = None
    terminal: np.ndarray | None = None
    outcome_reward: np.ndarray | None = None
    episodic: bool = False
    state_names: tuple[str, ...] | None = None
    action_names: tuple[tuple[str, ...], ...] | None = None
    name: str = "game"
    n_agents: int = field(init=False)

    def __post_init__(self):
        """Check every array, fill in the defaults and make the arrays read-only."""
        put = lambda name, value: object.__setattr__(self, name, value)  # noqa: E731  (the dataclass is frozen)
        put("transition", _checked_transition(self.transition))
        put("n_agents", self.transition.ndim - 2)
        reward, outcome_reward = _checked_rewards(
            self.reward, self.outcome_reward, self.transition, self.n_agents
        )
        put("reward", reward)
        put("outcome_reward", outcome_reward)
        put("discount", as_number("discount", self.discount, 0.0, 1.0))
        put("episodic", as_flag("episodic", self.episodic))
        put("terminal", _checked_terminal(self.terminal, self.transition, reward, outcome_reward))
        put("initial", _checked_initial(self.initial, self.terminal))
        put("state_names", _checked_names("state_names", self.state_names, self.n_states))
        put("action_names", _checked_action_names(self.action_names, self.n_actions))
        self.__setstate__({})
        self._check_that_episodes_end()

    def __setstate__(self, state: dict) -> None:
        """Make the arrays read-only, here and after pickle and deepcopy, which build new ones."""
        self.__dict__.update(state)
        for array in self.__dict__.values():
            if isinstance(array, np.ndarray):
                array.flags.writeable = False

    @classmethod
    def from_gymnasium(cls, env, discount: float = 0.99) -> MarkovGame:
        """The MDP that a Gymnasium environment publishes as ``env.unwrapped.P`` (FrozenLake, CliffWalking, Taxi).

        How termination and rewards are read: :func:`~marl_lessons.envs.gymnasium_tables.toy_text_fields`. A time limit that
        wraps the environment is no part of the model and is left out. The promise ``episodic=True`` is given, so γ = 1
        is allowed. An environment that does not play by its table is refused.
        """
        return cls(**toy_text_fields(env), discount=discount, episodic=True)

    def _check_that_episodes_end(self) -> None:
        if self.discount < 1 or self.episodic:
            return
        trap = states_that_can_avoid_the_end(self.joint_transition, self.terminal)
        if trap.any():
            state = int(np.flatnonzero(trap)[0])
            raise ValueError(
                f"discount is 1, but from state {state} ({self.state_names[state]}) some policy never terminates, so its "
                "return may be infinite; use a discount below 1, or say episodic=True if the policies of interest terminate"
            )

    def __repr__(self) -> str:
        """One line; the arrays themselves would fill pages."""
        return (
            f"MarkovGame({self.name!r}: {self.n_agents} agent{'s' * (self.n_agents > 1)}, {self.n_states} "
            f"state{'s' * (self.n_states > 1)}, actions {self.n_actions}, discount {self.discount:g})"
        )

    @property
    def n_states(self) -> int:
        """Number of states S, terminal ones included."""
        return self.transition.shape[0]

    @property
    def n_actions(self) -> tuple[int, ...]:
        """Number of actions of each agent, ``(A_1, …, A_n)``."""
        return self.transition.shape[1:-1]

    @property
    def is_mdp(self) -> bool:
        """Whether there is one agent only."""
        return self.n_agents == 1

    @property
    def is_matrix_game(self) -> bool:
        """Whether there is one state only."""
        return self.n_states == 1

    @property
    def joint_transition(self) -> np.ndarray:
        """``[S, A, S]``: the kernel with all agents' actions flattened into one joint action (C order)."""
        return self.transition.reshape(self.n_states, -1, self.n_states)

    @property
    def joint_reward(self) -> np.ndarray:
        """``[n, S, A]``: every agent's expected reward per joint action (C order)."""
        return self.reward.reshape(self.n_agents, self.n_states, -1)

    def with_initial(self, initial: np.ndarray) -> MarkovGame:
        """The same game with episodes that begin from ``initial[S]``; all other arrays are shared, none is copied."""
        game = copy(self)
        object.__setattr__(game, "initial", _checked_initial(initial, self.terminal))
        game.initial.flags.writeable = False
        return game

    def joint_policy(self, policies: Sequence[np.ndarray]) -> np.ndarray:
        """``[S, A]``: probability of each joint action when agents draw independently from ``policies[i][S, A_i]``."""
        joint = np.ones((self.n_states, 1))
        for policy in self.check_policies(policies):
            joint = (joint[:, :, None] * policy[:, None, :]).reshape(self.n_states, -1)
        return joint

    def check_policies(
        self, policies: Sequence[np.ndarray], skip: int | None = None
    ) -> list[np.ndarray]:
        """Return ``policies`` (one ``[S, A_i]`` per agent) as checked arrays; entry ``skip`` is ignored.

        In a matrix game, whose state is the only one, a strategy ``[A_i]`` is a policy, too.
        """
        return as_policies("policies", policies, [(self.n_states, a) for a in self.n_actions], skip)

    def induced_mdp(
        self, agent: int, policies: Sequence[np.ndarray | None], outcomes: bool = True
    ) -> MarkovGame:
        """The MDP that ``agent`` faces while every other agent j keeps to the fixed policy ``policies[j][S, A_j]``.

        T_i(s'|s,a_i) = Σ_{a_-i} Π_{j≠i} π_j(a_j|s) T(s'|s,⟨a_i,a_-i⟩), and R_i likewise (Albrecht et al. 2024,
        Sec. 5.3.2). ``policies[agent]`` is ignored and may be None. ``outcomes=False`` leaves out the rewards of single
        outcomes, which planning does not need.
        """
        agent = as_position("agent", agent, self.n_agents)
        others = self.check_policies(policies, skip=agent)
        transition, reward = self.transition, self.reward[agent]
        outcome = (
            self.transition * self.outcome_reward[agent]
            if outcomes and self.outcome_reward is not None
            else None
        )
        # From the last agent to the first, so that earlier axes keep their places.
        for j in reversed(range(self.n_agents)):
            if j != agent:
                transition = _average_out(transition, others[j], j)
                reward = _average_out(reward, others[j], j)
                outcome = None if outcome is None else _average_out(outcome, others[j], j)
        if outcome is not None:  # E[r 1{s'}] / T(s'|s,a) = E[r | s, a, s']
            outcome = np.divide(
                outcome, transition, out=np.zeros_like(outcome), where=transition > 0
            )
        return replace(
            self,
            transition=transition,
            reward=None if outcome is not None else reward[None],
            outcome_reward=None if outcome is None else outcome[None],
            action_names=(self.action_names[agent],),
            name=f"{self.name}, as agent {agent} sees it",
        )


def _average_out(array: np.ndarray, policy: np.ndarray, agent: int) -> np.ndarray:
    """Σ_a policy[s, a] · array[s, …, a, …]: sum over the action axis of ``agent`` (axis 1 + agent)."""
    state, action = 0, 1 + agent
    return np.einsum(
        array,
        list(range(array.ndim)),
        policy,
        [state, action],
        [axis for axis in range(array.ndim) if axis != action],
    )


def as_policies(
    name: str, policies, shapes: list[tuple[int, ...]], skip: int | None = None
) -> list:
    """One array of distributions per agent, of the ``shapes`` given; entry ``skip`` may be anything, and becomes ones.

    Where a policy has a row for one state only, the row itself will do.
    """
    if not _is_list(policies) or len(policies) != len(shapes):
        raise ValueError(
            f"{name}: expected {len(shapes)} arrays, one per agent, got {policies!r:.80}"
        )
    checked = []
    for i, (policy, shape) in enumerate(zip(policies, shapes)):
        a_row = _is_list(policy) and all(isinstance(p, Real) for p in policy)
        policy = [policy] if a_row and len(shape) == 2 and shape[0] == 1 else policy
        checked.append(
            np.ones(shape) if i == skip else as_distributions(f"{name}[{i}]", policy, shape)
        )
    return checked


def check_game(name: str, game: MarkovGame) -> MarkovGame:
    """``game`` as it is, if it is a :class:`MarkovGame`."""
    if not isinstance(game, MarkovGame):
        raise ValueError(f"{name}: expected a MarkovGame, got a {type(game).__name__}")
    return game


def states_that_can_avoid_the_end(transition: np.ndarray, terminal: np.ndarray) -> np.ndarray:
    """``[S]`` booleans: non-terminal states from which some policy stays away from terminal states for ever.

    ``transition[S, A, S]``, ``terminal[S]``. The largest set of non-terminal states in which every state has an action
    that surely stays inside; if it is empty, every policy terminates with probability 1.
    """
    inside = ~terminal
    while True:
        leaves = transition[:, :, ~inside].sum(axis=2) > 0
        smaller = inside & ~leaves.all(axis=1)
        if np.array_equal(smaller, inside):
            return inside
        inside = smaller


def states_that_cannot_reach_the_end(transition: np.ndarray, terminal: np.ndarray) -> np.ndarray:
    """``[S]`` booleans: states from which no terminal state is reachable with positive probability.

    ``transition[S, S]`` is the kernel under one policy, ``terminal[S]`` booleans. A finite chain terminates with
    probability 1 from everywhere if and only if there are no such states.
    """
    reaches = terminal.copy()
    while True:
        larger = reaches | ((transition > 0) @ reaches)
        if np.array_equal(larger, reaches):
            return ~reaches
        reaches = larger


def _checked_transition(transition) -> np.ndarray:
    """``[S, A_1, …, A_n, S]`` distributions."""
    # Large games: no copy is made before the one that as_distributions returns.
    if not isinstance(transition, np.ndarray):
        transition = as_float_array("transition", transition, (...,))
    shape = transition.shape
    if len(shape) < 3 or shape[0] != shape[-1] or min(shape) < 1:
        raise ValueError(
            f"transition: expected shape [S, A_1, ..., A_n, S] with no empty axis, got {shape}"
        )
    return as_distributions("transition", transition, shape)


def _checked_rewards(
    reward, outcome_reward, transition: np.ndarray, n_agents: int
) -> tuple[np.ndarray, np.ndarray | None]:
    """Both rewards, the expected one computed where outcomes' rewards are given."""
    if reward is not None or outcome_reward is None:
        shape = (n_agents, *transition.shape[:-1])
        reward = as_bounded("reward", reward, shape, -LARGEST, LARGEST)
    if outcome_reward is None:
        return reward, None
    outcome_reward = _as_broadcast("outcome_reward", outcome_reward, (n_agents, *transition.shape))
    expected = np.einsum("...t,n...t->n...", transition, outcome_reward)
    if reward is not None and not np.allclose(reward, expected, atol=1e-8, rtol=1e-8):
        raise ValueError(
            "reward differs from the expectation of outcome_reward; give one of the two only"
        )
    return expected, outcome_reward


def single_rewards(**rewards: float) -> list[float]:
    """What single events pay, as floats, in the order given."""
    return [
        as_number(name, value, -LARGEST_REWARD, LARGEST_REWARD) for name, value in rewards.items()
    ]


def _as_broadcast(name: str, value, shape: tuple[int, ...]) -> np.ndarray:
    """As ``as_bounded``, but an array made by ``np.broadcast_to`` is kept as one: it may be very large."""
    if not isinstance(value, np.ndarray) or value.shape != shape or 0 not in value.strides:
        return as_bounded(name, value, shape, -LARGEST, LARGEST)
    once = tuple(slice(0, 1) if stride == 0 else slice(None) for stride in value.strides)
    return np.broadcast_to(as_bounded(name, value[once], (...,), -LARGEST, LARGEST), shape)


def _checked_terminal(
    terminal, transition: np.ndarray, reward: np.ndarray, outcome_reward: np.ndarray | None
) -> np.ndarray:
    """``[S]`` booleans, True for absorbing states without reward only."""
    n_states = transition.shape[0]
    if terminal is None:
        return np.zeros(n_states, dtype=bool)
    terminal = as_booleans("terminal", terminal, (n_states,))
    for state in np.flatnonzero(terminal):
        if not np.all(transition[state, ..., state] == 1):
            raise ValueError(
                f"transition[{state}]: state {state} is terminal, so every action must lead back to itself"
            )
        paid = [reward[:, state]]
        if outcome_reward is not None:
            paid.append(outcome_reward[:, state, ..., state])
        if any(np.any(r != 0) for r in paid):
            raise ValueError(
                f"reward[:, {state}]: state {state} is terminal, so its reward must be 0"
            )
    return terminal


def _checked_initial(initial, terminal: np.ndarray) -> np.ndarray:
    """``[S]``: a distribution over the states that are not terminal."""
    if initial is None:
        if terminal.all():
            raise ValueError("terminal: all states are terminal; at least one must not be")
        return ~terminal / np.sum(~terminal)
    initial = as_distributions("initial", initial, terminal.shape)
    for state in np.flatnonzero(terminal & (initial > 0)):
        raise ValueError(
            f"initial[{state}] is {initial[state]}, but state {state} is terminal; no episode can begin there"
        )
    return initial


def _checked_names(argument: str, names, count: int) -> tuple[str, ...]:
    """``count`` names, by default the numbers from 0."""
    if names is None:
        return tuple(str(k) for k in range(count))
    if not _is_list(names) or len(names) != count:
        raise ValueError(f"{argument}: expected {count} names, got {names!r:.80}")
    return tuple(str(name) for name in names)


def _checked_action_names(names, n_actions: tuple[int, ...]) -> tuple[tuple[str, ...], ...]:
    """One tuple of names per agent, by default numbers."""
    if names is None:
        names = (None,) * len(n_actions)
    if not _is_list(names) or len(names) != len(n_actions):
        raise ValueError(
            f"action_names: expected one tuple per agent ({len(n_actions)}), got {names!r:.80}"
        )
    return tuple(
        _checked_names(f"action_names[{i}]", mine, count)
        for i, (mine, count) in enumerate(zip(names, n_actions))
    )


def _is_list(names) -> bool:
    """Whether ``names`` is a sequence of things, and no text."""
    is_array = isinstance(names, np.ndarray) and names.ndim > 0
    return is_array or (isinstance(names, Sequence) and not isinstance(names, str | bytes))
