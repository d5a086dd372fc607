"""`MarkovGame`: the one object behind every tabular problem of the course.

With one agent it is a Markov decision process (MDP); with one state it is a matrix game; in general it is both at once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from marl_lessons.checks import as_count, as_distributions, as_float_array, as_number
from marl_lessons.envs.termination import states_that_can_avoid_the_end


@dataclass(frozen=True, eq=False)
class MarkovGame:
    """A finite Markov game ⟨I, S, {A_i}, T, {R_i}, μ⟩ with discount γ (Littman 1994; Albrecht et al. 2024, Def. 6).

    transition  ``[S, A_1, …, A_n, S]``: T(s' | s, a), probabilities that sum to 1 over the last axis.
    reward      ``[n, S, A_1, …, A_n]``: R_i(s, a), the *expected* reward of agent i.
    discount    γ in [0, 1]. γ = 1 is allowed only if every policy reaches a terminal state, or if ``episodic`` is True.
    initial     ``[S]``: μ(s), where an episode begins; default: uniform over the states that are not terminal.
    terminal    ``[S]`` booleans: absorbing states without reward, in which an episode ends; default: none.
    outcome_reward  ``[n, S, A_1, …, A_n, S]`` or None: R_i(s, a, s'), the reward on arriving in s'. If given, ``reward`` may
                be None and becomes its expectation Σ_s' T(s'|s,a) R_i(s,a,s'). Planning needs only ``reward``;
                simulation pays the outcome's reward where there is one.
    episodic    the caller's promise that the policies of interest terminate, where not every policy does.
    state_names, action_names (one tuple per agent), name: labels for plots; defaults are numbers.

    Raises ValueError naming the array, the index and the value for anything that is not such a game.
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
        shape = _checked_shape(self.transition)
        n, n_states, n_actions = len(shape) - 2, shape[0], shape[1:-1]
        put = lambda key, value: object.__setattr__(self, key, value)  # noqa: E731  (the dataclass is frozen)
        put("n_agents", n)
        put("transition", as_distributions("transition", self.transition, shape))
        if self.outcome_reward is not None:
            put(
                "outcome_reward", as_float_array("outcome_reward", self.outcome_reward, (n, *shape))
            )
            expected = np.einsum("...t,n...t->n...", self.transition, self.outcome_reward)
            if self.reward is not None and not np.allclose(
                self.reward, expected, atol=1e-8, rtol=1e-8
            ):
                raise ValueError(
                    "reward differs from the expectation of outcome_reward; give one of the two only"
                )
            put("reward", expected)
        put("reward", as_float_array("reward", self.reward, (n, *shape[:-1])))
        put("discount", as_number("discount", self.discount, 0.0, 1.0))
        put(
            "terminal",
            _checked_terminal(self.terminal, self.transition, self.reward, self.outcome_reward),
        )
        put("initial", _checked_initial(self.initial, self.terminal))
        put("state_names", _checked_names("state_names", self.state_names, n_states))
        if self.action_names is not None and len(self.action_names) != n:
            raise ValueError(
                f"action_names: expected one tuple per agent ({n}), got {len(self.action_names)}"
            )
        names = self.action_names or (None,) * n
        put(
            "action_names",
            tuple(_checked_names(f"action_names[{i}]", names[i], n_actions[i]) for i in range(n)),
        )
        for array in (
            self.transition,
            self.reward,
            self.initial,
            self.terminal,
            self.outcome_reward,
        ):
            if array is not None:
                array.flags.writeable = False
        self._check_that_episodes_end()

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

    @property
    def joint_outcome_reward(self) -> np.ndarray | None:
        """``[n, S, A, S]``: the reward on arrival per joint action, or None where the expected reward is paid."""
        if self.outcome_reward is None:
            return None
        return self.outcome_reward.reshape(self.n_agents, self.n_states, -1, self.n_states)

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

        Raises ValueError naming ``policies[i]`` for another number of agents, shape, or rows that are no distributions.
        """
        if not isinstance(policies, list | tuple) or len(policies) != self.n_agents:
            given = (
                f"{len(policies)} entries"
                if isinstance(policies, list | tuple)
                else f"a {type(policies).__name__}"
            )
            raise ValueError(
                f"policies: expected a list of {self.n_agents} arrays, one per agent, got {given}"
            )
        shapes = [(self.n_states, a) for a in self.n_actions]
        return [
            np.ones(shapes[i])
            if i == skip
            else as_distributions(f"policies[{i}]", policy, shapes[i])
            for i, policy in enumerate(policies)
        ]

    def induced_mdp(self, agent: int, policies: Sequence[np.ndarray | None]) -> MarkovGame:
        """The MDP that ``agent`` faces while every other agent j keeps to the fixed policy ``policies[j][S, A_j]``.

        T_i(s'|s,a_i) = Σ_{a_-i} Π_{j≠i} π_j(a_j|s) T(s'|s,⟨a_i,a_-i⟩), and R_i likewise (Albrecht et al. 2024, Sec. 5.4).
        ``policies[agent]`` is ignored and may be None. If these others' policies never let the game end, a discount
        of 1 is refused as for any other MDP. Raises ValueError naming ``agent`` or ``policies``.
        """
        if as_count("agent", agent, low=0) >= self.n_agents:
            raise ValueError(f"agent is {agent}; allowed are 0 to {self.n_agents - 1}")
        others = self.check_policies(policies, skip=agent)
        transition, reward = self.transition, self.reward[agent]
        outcome = (
            None if self.outcome_reward is None else self.transition * self.outcome_reward[agent]
        )
        for j in reversed(
            range(self.n_agents)
        ):  # from the last agent, so that earlier axes keep their places
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
    moved = np.moveaxis(array, 1 + agent, 1)
    weights = policy.reshape(policy.shape + (1,) * (moved.ndim - 2))
    return (weights * moved).sum(axis=1)


def _checked_shape(transition) -> tuple[int, ...]:
    shape = np.shape(transition)
    if len(shape) < 3 or shape[0] != shape[-1] or min(shape) < 1:
        raise ValueError(
            f"transition: expected shape [S, A_1, ..., A_n, S] with no empty axis, got {shape}"
        )
    return shape


def _checked_terminal(terminal, transition, reward, outcome_reward) -> np.ndarray:
    n_states = transition.shape[0]
    if terminal is None:
        return np.zeros(n_states, dtype=bool)
    terminal = np.array(terminal)
    if terminal.shape != (n_states,) or terminal.dtype != bool:
        raise ValueError(
            f"terminal: expected {n_states} booleans, got {terminal.dtype} of shape {terminal.shape}"
        )
    for state in np.flatnonzero(terminal):
        if not np.all(transition[state, ..., state] == 1):
            raise ValueError(
                f"transition[{state}]: state {state} is terminal, so every action must lead back to itself"
            )
        paid = (
            [reward[:, state]]
            if outcome_reward is None
            else [reward[:, state], outcome_reward[:, state, ..., state]]
        )
        if any(np.any(r != 0) for r in paid):
            raise ValueError(
                f"reward[:, {state}]: state {state} is terminal, so its reward must be 0"
            )
    return terminal


def _checked_initial(initial, terminal: np.ndarray) -> np.ndarray:
    if initial is None:
        if terminal.all():
            raise ValueError("terminal: all states are terminal; at least one must not be")
        return ~terminal / np.sum(~terminal)
    return as_distributions("initial", initial, terminal.shape)


def _checked_names(argument: str, names, count: int) -> tuple[str, ...]:
    if names is None:
        return tuple(str(k) for k in range(count))
    if isinstance(names, str) or len(names) != count:
        raise ValueError(f"{argument}: expected {count} names, got {names!r:.80}")
    return tuple(str(name) for name in names)
