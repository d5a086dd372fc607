"""One seed of tabular Q-learning or SARSA in plain Python, from the definitions, without any array axis.

It consumes the numbers of :class:`UniformStreams` in the package's order. Every row holds one number per agent
that decides whether it explores, one per agent for the random action, one for the outcome and one for the start
of an episode. An outcome is chosen by inverse transform with the likeliest next state first.
"""

from __future__ import annotations

import itertools
from typing import NamedTuple

from marl_lessons.seeds import UniformStreams


class PlainRun(NamedTuple):
    """``q`` and ``visits``: {(agent, state, action): value} at each moment recorded; the other fields as in
    History."""

    q: list
    visits: list
    episodes: list
    returns: list
    lengths: list


def pick(uniform: float, weighted) -> int:
    """The first of ``weighted`` [(item, probability)] at which the cumulative probability exceeds
    ``uniform``."""
    total, last = 0.0, None
    for item, probability in weighted:
        if probability > 0:
            total, last = total + probability, item
            if uniform < total:
                return item
    return last


def plain_run(
    game,
    seed,
    n_steps,
    step_size,
    epsilon,
    moments,
    time_limit=None,
    bootstrap=True,
    on_policy=False,
    initial=0.0,
):
    """``step_size(step, episode, visits)`` and ``epsilon(step, episode)`` are functions of plain numbers."""
    agents, n_actions = range(game.n_agents), game.n_actions[0]
    stream = UniformStreams([seed], 2 * game.n_agents + 2)
    q = {
        (i, s, a): 0.0 if game.terminal[s] else float(initial)
        for i, s, a in itertools.product(agents, range(game.n_states), range(n_actions))
    }
    visits = dict.fromkeys(q, 0)
    run = PlainRun([], [], [], [], [])

    def numbers():
        return [float(x) for x in stream.next()[:, 0]]

    def act(s, u, eps):
        chosen = []
        for i in agents:
            values = [q[i, s, a] for a in range(n_actions)]
            explores = u[i] < eps
            chosen.append(
                int(u[game.n_agents + i] * n_actions) if explores else values.index(max(values))
            )
        return chosen

    def begin(u):
        return pick(u[-1], enumerate(game.initial.tolist()))

    u = numbers()
    s, episode, age, total = begin(u), 0, 0, [0.0] * game.n_agents
    actions = act(s, u, epsilon(0, 0))
    for step in range(n_steps):
        if step in moments:
            run.q.append(dict(q)), run.visits.append(dict(visits)), run.episodes.append(episode)
        row = game.transition[(s, *actions)]
        t = pick(u[-2], sorted(enumerate(row.tolist()), key=lambda item: -item[1]))
        table = game.reward if game.outcome_reward is None else game.outcome_reward
        at = (s, *actions) if game.outcome_reward is None else (s, *actions, t)
        rewards = [float(table[(i, *at)]) for i in agents]
        age += 1
        total = [x + r for x, r in zip(total, rewards, strict=True)]
        terminated = bool(game.terminal[t])
        truncated = not terminated and time_limit is not None and age == time_limit
        u = numbers()
        following = act(t, u, epsilon(step + 1, episode))  # before the update, as SARSA needs it
        for i in agents:
            if terminated or (truncated and not bootstrap):
                target = rewards[i]
            elif on_policy:
                target = rewards[i] + game.discount * q[i, t, following[i]]
            else:
                target = rewards[i] + game.discount * max(q[i, t, a] for a in range(n_actions))
            entry = (i, s, actions[i])
            visits[entry] += 1
            q[entry] += step_size(step, episode, visits[entry]) * (target - q[entry])
        if terminated or truncated:
            run.returns.append(total), run.lengths.append(age)
            s, episode, age, total = begin(u), episode + 1, 0, [0.0] * game.n_agents
            actions = act(s, u, epsilon(step + 1, episode))
        else:
            s = t
            actions = following if on_policy else act(t, u, epsilon(step + 1, episode))
    run.q.append(dict(q)), run.visits.append(dict(visits)), run.episodes.append(episode)
    return run
