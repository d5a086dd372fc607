"""Small continuous and discrete worlds whose answers are known: what the tests of MADDPG run on."""

from __future__ import annotations

import numpy as np

from marl_lessons.algorithms.deep.maddpg_update import MADDPGConfig
from marl_lessons.envs.stepping import BatchedStep


class ToyWorlds:
    """Episodes of ``n_steps`` steps, which terminate or are truncated; ``pay(actions, secrets)`` are the rewards ``[E, n]``.

    Agent i sees the first d_i entries of (1, its secret, its age): ``observation_sizes``. Secrets are redrawn from U(0, 1) with
    every step. All steps are kept in ``log``: (observations, actions, rewards, next observations, ended).
    """

    def __init__(
        self, n_worlds, sizes, pay, *, n_steps=1, terminates=True, continuous=True, sees=None
    ):
        self.n_worlds, self.n_agents, self.pay = n_worlds, len(sizes), pay
        self.n_steps, self.terminates = n_steps, terminates
        setattr(self, "action_sizes" if continuous else "n_actions", tuple(sizes))
        self.observation_sizes = tuple(sees or (1,) * len(sizes))
        self.ages = np.full(n_worlds, n_steps)
        self.secrets = np.zeros((n_worlds, self.n_agents))
        self.log = []

    @property
    def ended(self):
        return self.ages >= self.n_steps

    @property
    def active(self):
        return np.repeat(~self.ended[:, None], self.n_agents, axis=1)

    def reset(self, rng):
        return self.reset_where(np.ones(self.n_worlds, dtype=bool), rng)

    def reset_where(self, which, rng):
        self.ages[which] = 0
        self.secrets[which] = rng.random((which.sum(), self.n_agents))
        return self.see()

    def see(self):
        ages = np.repeat(self.ages[:, None], self.n_agents, axis=1)
        all_three = np.stack([np.ones_like(self.secrets), self.secrets, ages], axis=-1)
        seen = np.arange(3) < np.array(self.observation_sizes)[:, None]
        return (all_three * seen)[..., : max(self.observation_sizes)].astype(np.float32)

    def step(self, actions, rng):
        assert not self.ended.any()
        before, rewards = self.see(), np.asarray(self.pay(actions, self.secrets), dtype=float)
        self.ages = self.ages + 1
        self.secrets = rng.random(self.secrets.shape)
        ended = self.ended
        terminated = np.repeat((ended & self.terminates)[:, None], self.n_agents, axis=1)
        self.log.append((before, actions.copy(), rewards, self.see(), ended))
        return BatchedStep(self.see(), rewards, terminated, ended & (not self.terminates), ended)

    def snapshot(self):
        return {"ages": self.ages.copy(), "secrets": self.secrets.copy()}

    def restore(self, snapshot):
        self.ages, self.secrets = snapshot["ages"].copy(), snapshot["secrets"].copy()


class TalkWorlds:
    """A speaker sees the goal, one of three; the listener sees what the speaker said the step before, and shall name the goal.

    ``n_steps`` steps, then the episode is truncated. Both are paid 1 minus the squared distance of the listener's action from the
    goal's one-hot vector, halved; with whole numbers that is 1 for the right name, else 0.
    """

    n_agents, sizes = 2, (3, 3)
    observation_sizes = (3, 4)

    def __init__(self, n_worlds, *, continuous, n_steps=4):
        self.n_worlds, self.n_steps, self.continuous = n_worlds, n_steps, continuous
        setattr(self, "action_sizes" if continuous else "n_actions", self.sizes)
        self.goals, self.ages = np.zeros(n_worlds, dtype=int), np.full(n_worlds, n_steps)
        self.said = np.zeros((n_worlds, 3))

    @property
    def ended(self):
        return self.ages >= self.n_steps

    @property
    def active(self):
        return np.repeat(~self.ended[:, None], 2, axis=1)

    def reset(self, rng):
        return self.reset_where(np.ones(self.n_worlds, dtype=bool), rng)

    def reset_where(self, which, rng):
        self.goals[which] = rng.integers(3, size=which.sum())
        self.ages[which], self.said[which] = 0, 0.0
        return self.see()

    def see(self):
        seen = np.zeros((self.n_worlds, 2, 4), np.float32)
        seen[:, 0, :3], seen[:, 1, :3] = np.eye(3)[self.goals], self.said
        seen[:, 1, 3] = self.ages == 0
        return seen

    def step(self, actions, rng):
        vectors = actions if self.continuous else np.eye(3)[actions]
        self.said = vectors[:, 0].copy()
        paid = 1 - ((vectors[:, 1] - np.eye(3)[self.goals]) ** 2).sum(axis=-1) / 2
        self.ages = self.ages + 1
        ended = self.ended
        no = np.zeros((self.n_worlds, 2), dtype=bool)
        return BatchedStep(self.see(), np.repeat(paid[:, None], 2, axis=1), no, ended, ended)


def always_one(actions, secrets):
    return np.ones(secrets.shape)


def quick(**settings) -> MADDPGConfig:
    """Settings for runs of a second or less."""
    usual = {
        "n_steps": 60,
        "hidden_sizes": (8,),
        "batch_size": 16,
        "buffer_size": 1000,
        "learn_from": 5,
        "noise_over": 50,
        "n_records": 3,
    }
    return MADDPGConfig(**{**usual, **settings})
