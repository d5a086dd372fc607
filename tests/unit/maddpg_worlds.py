"""Small continuous and discrete worlds whose answers are known: what the tests of MADDPG run on."""

from __future__ import annotations

from types import SimpleNamespace
from unittest.mock import patch

import numpy as np

from marl_lessons.algorithms.deep import maddpg
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


def watched_run(worlds, n_steps, pieces=None, **settings) -> SimpleNamespace:
    """A run of ``n_steps`` steps with its networks, ``nets``, and its ``replay``, which a history does not tell."""
    run = SimpleNamespace(config=quick(n_steps=n_steps, **settings))
    make_networks, make_replay = maddpg.init_networks, maddpg.Replay

    def keep(name, make):
        def made(*args, **kwargs):
            setattr(run, name, make(*args, **kwargs))
            return getattr(run, name)

        return made

    with (
        patch.object(maddpg, "init_networks", keep("nets", make_networks)),
        patch.object(maddpg, "Replay", keep("replay", make_replay)),
    ):
        run.history = maddpg.train_maddpg(worlds, run.config, pieces=pieces)
    return run
