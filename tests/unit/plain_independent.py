"""One seed of independent Q-learning in plain Python: dictionaries, numbers and one step at a time.

Every step consumes one row of random numbers: for each agent one that decides whether it explores, then for each
agent one that decides which action, then x for each agent for its own use (draws from its memory, or leniency), one
for the outcome and one for the start of an episode. An outcome is chosen by inverse transform with the likeliest
next state first.
"""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass, field

import numpy as np
from plain_learner import pick

FOR_EVER = 10**12


@dataclass
class Plan:
    """What each of n agents does. Functions take (step, episode, visits of the entry that is updated)."""

    step_size: list
    epsilon: object = lambda step, episode: 0.1
    temperature: list | None = None
    worse: object = None  # the step size for bad news
    keeps_policy: bool = False  # distributed Q-learning
    lenient: object = None
    learns: list | None = None
    memory: list | None = None
    batch: int = 1
    limit: int | None = None
    bootstrap: bool = True
    initial: float = 0.0
    together: bool = False  # the first agent's number decides for all whether they explore


@dataclass
class Record:
    q: list = field(default_factory=list)
    visits: list = field(default_factory=list)
    policies: list = field(default_factory=list)
    episodes: list = field(default_factory=list)
    returns: list = field(default_factory=list)
    lengths: list = field(default_factory=list)
    last_states: list = field(default_factory=list)


def drawn_from(values: list[float], temperature: float, u: float) -> int:
    """An action with probability proportional to exp(value / temperature)."""
    weights = [math.exp((value - max(values)) / temperature) for value in values]
    total, so_far = sum(weights), 0.0
    for action, weight in enumerate(weights):
        so_far += weight
        if u < so_far / total:
            return action
    return len(weights) - 1


class PlainLearners:
    def __init__(self, game, seed: int, plan: Plan):
        self.game, self.plan, self.agents = game, plan, range(game.n_agents)
        longest = max(plan.memory) if plan.memory else 1
        self.n_own = plan.batch if longest > 1 else int(plan.lenient is not None)
        self.rng = np.random.default_rng(seed)
        self.q = {
            (i, s, a): 0.0 if game.terminal[s] else float(plan.initial)
            for i in self.agents
            for s, a in itertools.product(range(game.n_states), range(game.n_actions[i]))
        }
        self.visits = dict.fromkeys(self.q, 0)
        self.policy = {(i, s): 0 for i in self.agents for s in range(game.n_states)}
        start = plan.lenient.start if plan.lenient else 0.0
        self.heat = dict.fromkeys(self.q, start)
        self.kept = [[] for _ in self.agents]

    def row(self, table, i, s):
        return [table[i, s, a] for a in range(self.game.n_actions[i])]

    def mean_heat(self, i, s):
        return sum(self.row(self.heat, i, s)) / self.game.n_actions[i]

    def choose(self, i, s, u_explore, u_action, epsilon):
        plan, values = self.plan, self.row(self.q, i, s)
        greedy = values.index(max(values))
        if plan.lenient:
            heat = self.mean_heat(i, s)
            if heat < plan.lenient.coldest:
                return greedy
            return drawn_from(values, plan.lenient.exploration * heat, u_action)
        if plan.temperature:
            return drawn_from(values, plan.temperature[i], u_action)
        if u_explore < epsilon:
            return int(u_action * len(values))
        return self.policy[i, s] if plan.keeps_policy else greedy

    def learn(self, i, step, episode, experience, own):
        """``experience``: (state, action, reward, next state, whether nothing follows)."""
        plan = self.plan
        window = plan.learns[i] if plan.learns else None
        first, end = (0, FOR_EVER) if window is None else window
        learns = first <= step < (FOR_EVER if end is None else end)
        if learns:
            self.visits[(i, *experience[:2])] += 1
        batch = [experience]
        if self.n_own and plan.memory:
            self.kept[i] = (self.kept[i] + [experience])[-plan.memory[i] :]
            newest_first = self.kept[i][::-1]
            batch = [newest_first[int(u * len(newest_first))] for u in own]
        if not learns:
            return
        changes = [(s, a, *self.change(i, step, episode, (s, a, *_), own)) for s, a, *_ in batch]
        for s, a, rate, error, target in changes:
            best = max(self.row(self.q, i, s))
            if plan.keeps_policy and rate == 1:
                self.q[i, s, a] = target
            else:
                self.q[i, s, a] += rate * error / len(batch)
            if max(self.row(self.q, i, s)) > best:
                self.policy[i, s] = a

    def change(self, i, step, episode, experience, own):
        plan, (s, a, reward, t, nothing_follows) = self.plan, experience
        follows = 0.0 if nothing_follows else self.game.discount * max(self.row(self.q, i, t))
        target = reward + follows
        error = target - self.q[i, s, a]
        moment = (step, episode, max(self.visits[i, s, a], 1))
        rate = plan.step_size[i](*moment)
        if error < 0 and plan.worse:
            rate = plan.worse(*moment)
        if error < 0 and plan.keeps_policy:
            rate = 0.0
        if plan.lenient:
            rate = self.forgive(i, s, a, t, nothing_follows, error, rate, own[0])
        return rate, error, target

    def forgive(self, i, s, a, t, nothing_follows, error, rate, u):
        """LMRL2: bad news counts if u is 1 - (1 - exp(-1 / (θ T))) or more; then the entry cools."""
        lenient, heat = self.plan.lenient, self.heat[i, s, a]
        forgives = error < 0 and u < math.exp(-1 / (lenient.leniency * heat))
        mixed = (1 - lenient.diffusion) * heat + lenient.diffusion * self.mean_heat(i, t)
        self.heat[i, s, a] = lenient.decay * (heat if nothing_follows else mixed)
        return 0.0 if forgives else rate

    def run(self, n_steps: int, moments) -> Record:
        game, plan, record = self.game, self.plan, Record()

        def numbers():
            return self.rng.random((2 + self.n_own) * game.n_agents + 2).tolist()

        def note():
            record.q.append(dict(self.q)), record.visits.append(dict(self.visits))
            record.policies.append(dict(self.policy)), record.episodes.append(episode)

        starts = list(enumerate(game.initial.tolist()))
        u, n = numbers(), game.n_agents
        s, episode, age, total = pick(u[-1], starts), 0, 0, [0.0] * n
        for step in range(n_steps):
            if step in moments:
                note()
            epsilon = plan.epsilon(step, episode)
            actions = [
                self.choose(i, s, u[0 if plan.together else i], u[n + i], epsilon)
                for i in self.agents
            ]
            chances = enumerate(game.transition[(s, *actions)].tolist())
            t = pick(u[-2], sorted(chances, key=lambda item: -item[1]))
            outcomes = game.outcome_reward is not None
            table = game.outcome_reward if outcomes else game.reward
            at = (s, *actions, t) if outcomes else (s, *actions)
            rewards = [float(table[(i, *at)]) for i in self.agents]
            age, total = age + 1, [x + r for x, r in zip(total, rewards)]
            ended = bool(game.terminal[t]) or age == plan.limit
            nothing_follows = bool(game.terminal[t]) or (ended and not plan.bootstrap)
            for i in self.agents:
                own = u[2 * n + i : -2 : n]
                self.learn(i, step, episode, (s, actions[i], rewards[i], t, nothing_follows), own)
            s, u = t, numbers()
            if ended:
                record.returns.append(total), record.lengths.append(age)
                record.last_states.append(t)
                s, episode, age, total = pick(u[-1], starts), episode + 1, 0, [0.0] * n
        note()
        return record


def assert_same(history, column: int, record: Record) -> None:
    """That column of the history is the plain run, to rounding in the tables and exactly in all counts."""
    existing = np.zeros(history.q.shape[2:], dtype=bool)
    for k in range(len(history.steps)):
        for entry, value in record.q[k].items():
            existing[entry] = True
            got = history.q[(k, column, *entry)]
            assert abs(got - value) <= 1e-12 * (1 + abs(value)), f"record {k}, entry {entry}"
            assert history.visits[(k, column, *entry)] == record.visits[k][entry]
        if history.policies is not None:
            held = history.policies[k, column].argmax(axis=-1)
            assert {at: held[at] for at in record.policies[k]} == record.policies[k]
    assert (history.q[:, column][:, ~existing] == -np.inf).all()
    assert not history.visits[:, column][:, ~existing].any()
    assert history.episodes[:, column].tolist() == record.episodes
    returns = np.array(record.returns).reshape(-1, history.q.shape[2])
    assert np.allclose(history.returns[column], returns, rtol=0, atol=1e-9)
    assert history.lengths[column].tolist() == record.lengths
    assert history.last_states[column].tolist() == record.last_states
