"""Deep independent Q-learning: every agent learns as if the others were part of the world. Lessons 06 and 10."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from marl_lessons.algorithms.deep.checks import (
    as_float32,
    check_functions,
    check_numbers,
    check_step,
    check_told,
    usable_device,
)
from marl_lessons.algorithms.deep.history import DeepHistory, Recorder
from marl_lessons.algorithms.deep.networks import copy_parameters, init_mlp, mlp, move_towards
from marl_lessons.algorithms.deep.replay import Batch, Replay
from marl_lessons.algorithms.deep.saving import load_run, save_run
from marl_lessons.algorithms.settings import as_config, check_settings
from marl_lessons.algorithms.tables.history import common_n_actions
from marl_lessons.algorithms.tables.rules import epsilon_greedy, one_draw_for_all
from marl_lessons.algorithms.tables.schedules import Linear, Progress, Schedule
from marl_lessons.algorithms.talk.worlds import mark_present, present_after
from marl_lessons.checks import as_position
from marl_lessons.envs.stepping import BatchedWorlds, check_batched_worlds
from marl_lessons.results import short_repr
from marl_lessons.seeds import as_seeds

USUAL_RECORDS = 20


@dataclass(frozen=True)
class DeepIQLConfig:
    """Settings of deep independent Q-learning.

    n_steps          steps that every world makes (typical 500 to 5,000)
    hidden_sizes     units of each hidden layer (typical ``(64, 64)``)
    learning_rate    of Adam (typical 5e-4 to 2e-3): a number in (0, 1], or ``Linear(..., per="step")``, by which it falls
    discount         γ in [0, 1] (typical 0.9 to 0.99)
    batch_size       joint transitions in a batch, for each seed (typical 32 to 512)
    buffer_size      joint transitions that each seed's replay keeps (typical 5,000 to 100,000)
    updates_per_step updates after each step of all worlds (typical 1 to 4)
    learn_from       steps of all worlds before the first update (typical 10 to 100)
    target_interval  updates after which the target network becomes a copy of the online one (typical 100 to 1,000)
    double_q         True: the online network chooses the next action (van Hasselt et al. 2016); False: plain DQN
    epsilon          ε, probability of a random action, a number in [0, 1] or a schedule, but not ``PerVisit``. It counts the
                     episodes that all worlds of a seed have finished together, and the steps that each world has made.
    share_parameters True: the agents of a seed share one network; False: each has its own
    agent_id         True: an agent's number, one-hot, follows its observation. Take care where numbers tell what agents should
                     not know, such as who came first
    correlated_exploration  True: one random number decides for all agents of a world whether they explore: a mistake found
                     in published programs, here to be studied
    bootstrap_on_truncation  True: a truncated episode's last target still counts what would have come next. False treats
                     truncation as termination: a mistake, here to be studied.
    reward_scale     the learner sees rewards times this number, above 0 (typical: such that returns are of size 1 to 10)
    network          None: each agent values what it sees by itself, through ``hidden_sizes``. Else a network with messages
                     between the agents, :class:`~marl_lessons.algorithms.talk.commnet.CommNet`, or any object with the methods of
                     :class:`PlainNetwork`. It has sizes of its own, ``hidden_sizes`` is
                     not used. It needs ``agent_id`` False and ``share_parameters`` True
    n_records        K: networks are recorded K times at equal distances, and at the start; None: 20 times, or at every step
    """

    n_steps: int = 1_000
    hidden_sizes: tuple[int, ...] = (64, 64)
    learning_rate: Linear | float = 1e-3
    discount: float = 0.95
    batch_size: int = 256
    buffer_size: int = 40_000
    updates_per_step: int = 2
    learn_from: int = 20
    target_interval: int = 200
    double_q: bool = True
    epsilon: Schedule | float = 0.1
    share_parameters: bool = True
    agent_id: bool = True
    correlated_exploration: bool = False
    bootstrap_on_truncation: bool = True
    reward_scale: float = 1.0
    network: object | None = None
    n_records: int | None = None

    def __post_init__(self):
        """Check every field and turn a number ε into a constant schedule."""
        check_settings(self, USUAL_RECORDS)
        if self.network is not None:
            _check_network(self)

    def learning_rate_at(self, step: int) -> float:
        """Adam's learning rate at ``step``, counted from 0."""
        if isinstance(self.learning_rate, Linear):
            return float(self.learning_rate(Progress(step, None, None)))
        return self.learning_rate


# The equations of deep Q-learning with several agents, one function each.


def with_agent_id(observations: Tensor) -> Tensor:
    """``[..., n, d + n]``: each agent's observation ``[..., n, d]`` followed by a one-hot vector that says which agent it is.

    Agents that share a network can then take different actions where they see the same.
    """
    n = observations.shape[-2]
    which = torch.eye(n, dtype=observations.dtype, device=observations.device)
    return torch.cat([observations, which.expand(*observations.shape[:-1], n)], dim=-1)


def agent_values(
    parameters: Sequence[Tensor], observations: Tensor, share_parameters: bool
) -> Tensor:
    """Action values ``[S, B, n, A]`` of every agent for ``observations[S, B, n, d]``.

    With shared parameters there is one network per seed, for all its agents (Albrecht et al. 2024, Ch. 9). Otherwise
    each agent of each seed has its own: network ``s · n + i``.
    """
    n_seeds, n_rows, n_agents, _ = observations.shape
    if share_parameters:
        return mlp(parameters, observations.flatten(1, 2)).unflatten(1, (n_rows, n_agents))
    by_agent = observations.transpose(1, 2)
    q = mlp(parameters, by_agent.flatten(0, 1))
    return q.unflatten(0, (n_seeds, n_agents)).transpose(1, 2)


def double_q_target(
    reward: Tensor,
    next_q_online: Tensor,
    next_q_target: Tensor,
    terminated: Tensor,
    discount: float,
) -> Tensor:
    """``[...]``: r + γ Q⁻(s', argmax_a' Q(s', a')), and r alone where the agent's story ended (van Hasselt et al. 2016).

    The online network ``next_q_online[..., A]`` chooses the next action, the target network ``next_q_target[..., A]`` says
    what it is worth. With ``next_q_target`` in both places it is the target of DQN, r + γ max_a' Q⁻(s', a').
    """
    best = next_q_online.argmax(dim=-1, keepdim=True)
    value = next_q_target.gather(-1, best).squeeze(-1)
    return reward + discount * torch.where(terminated, 0.0, value)


def td_loss(q: Tensor, action: Tensor, target: Tensor, active: Tensor) -> Tensor:
    """``[S]``: mean of (y - Q(o, a))² over those of each seed's agents that took part (Mnih et al. 2015).

    ``q[S, B, n, A]`` values, ``action[S, B, n]`` the actions taken, ``target[S, B, n]`` y, ``active[S, B, n]`` booleans.
    A seed without any active agent has loss 0.
    """
    chosen = q.gather(-1, action[..., None]).squeeze(-1)
    error = torch.where(active, target - chosen, 0.0)
    return error.square().sum(dim=(1, 2)) / active.sum(dim=(1, 2)).clamp(min=1)


@dataclass(frozen=True, eq=False)
class GreedyPolicy:
    """The greedy joint actions of S seeds' networks: ``policy(observations[S·E, n, d])`` is ``actions[S·E, n]``.

    Seed s acts in worlds s·E to (s+1)·E - 1, for any number E. :meth:`of_seed` is a policy for one seed's worlds alone, and
    ``policy.act`` the form that :func:`~marl_lessons.evaluation.statistics.play_episodes` takes.
    """

    parameters: list[Tensor]
    n_seeds: int
    n_agents: int
    share_parameters: bool
    agent_id: bool

    __repr__ = short_repr

    def act(self, worlds, observations: np.ndarray) -> np.ndarray:
        """``policy(observations)``; ``worlds`` is not read."""
        return self(observations)

    def __call__(self, observations: np.ndarray) -> np.ndarray:
        """Greedy ``actions[S·E, n]``; the lowest index wins a tie."""
        return self.values(observations).argmax(axis=-1)

    def values(self, observations: np.ndarray) -> np.ndarray:
        """Action values ``[S·E, n, A]`` for ``observations[S·E, n, d]``."""
        d = self.parameters[0].shape[1] - self.agent_id * self.n_agents
        seen = as_float32("observations", observations, (None, self.n_agents, d))
        if len(seen) % self.n_seeds:
            raise ValueError(
                f"observations: {len(seen)} worlds cannot be shared out to {self.n_seeds} seeds"
            )
        inputs = as_inputs(seen, self.n_seeds, self.agent_id, self.parameters[0].device)
        with torch.no_grad():
            q = agent_values(self.parameters, inputs, self.share_parameters)
        return q.flatten(0, 1).cpu().numpy()

    def of_seed(self, which: int) -> GreedyPolicy:
        """The policy of the seed at position ``which`` alone."""
        which = as_position("which", which, self.n_seeds)
        per_seed = 1 if self.share_parameters else self.n_agents
        mine = slice(which * per_seed, (which + 1) * per_seed)
        parameters = [p[mine] for p in self.parameters]
        return GreedyPolicy(parameters, 1, self.n_agents, self.share_parameters, self.agent_id)


def as_inputs(observations: np.ndarray, n_seeds: int, agent_id: bool, device) -> Tensor:
    """``[S, E, n, d]`` float32: what the networks see, from ``observations[S·E, n, d]``; with agent id ``[..., d + n]``."""
    seen = torch.as_tensor(observations, dtype=torch.float32, device=device)
    seen = seen.unflatten(0, (n_seeds, -1))
    return with_agent_id(seen) if agent_id else seen


@dataclass(frozen=True)
class PlainNetwork:
    """The usual network of deep Q-learning: each agent values what it sees by itself, nobody hears anybody.

    A network of another kind, ``DeepIQLConfig.network``, has the same methods.
    """

    hidden_sizes: tuple[int, ...]
    share_parameters: bool
    agent_id: bool

    def check_worlds(self, worlds: BatchedWorlds) -> None:
        """Raises ValueError naming ``config`` for worlds that the network does not fit; this one fits all."""

    def init(self, n_inputs: int, n_actions: int, generators, device="cpu") -> list[Tensor]:
        """Parameters of one network for each generator: tensors whose first axis is the network's number."""
        return init_mlp((n_inputs, *self.hidden_sizes, n_actions), generators, device)

    def values(self, parameters: Sequence[Tensor], inputs: Tensor) -> Tensor:
        """Action values ``[S, B, n, A]`` for ``inputs[S, B, n, d]``."""
        return agent_values(parameters, inputs, self.share_parameters)

    def policy(self, parameters: list[Tensor], n_seeds: int, n_agents: int) -> GreedyPolicy:
        """What the history records: a function of ``observations[S·E, n, d]`` with a method ``of_seed(which)``."""
        return GreedyPolicy(parameters, n_seeds, n_agents, self.share_parameters, self.agent_id)


def network_of(config: DeepIQLConfig):
    """The network that ``config`` asks for."""
    if config.network is not None:
        return config.network
    return PlainNetwork(config.hidden_sizes, config.share_parameters, config.agent_id)


def choose_actions(
    online: Sequence[Tensor], inputs: Tensor, epsilon, uniform: np.ndarray, config: DeepIQLConfig
) -> np.ndarray:
    """ε-greedy joint actions ``[S, E, n]`` for ``inputs[S, E, n, d]``.

    ``epsilon``: a number, or ``[S, 1]``. ``uniform[2, S, E, n]``: random numbers in [0, 1), two for each agent.
    """
    with torch.no_grad():
        q = network_of(config).values(online, inputs).cpu().numpy()
    if config.correlated_exploration:
        uniform = one_draw_for_all(uniform)
    return epsilon_greedy(q, np.reshape(epsilon, (-1, 1, 1)), uniform)


def q_update(
    online: Sequence[Tensor],
    target: Sequence[Tensor],
    optimizer: torch.optim.Optimizer,
    batch: Batch,
    config: DeepIQLConfig,
) -> Tensor:
    """One step of the optimiser for every network; returns each seed's loss before it, ``[S]``."""
    network = network_of(config)
    with torch.no_grad():
        next_target = network.values(target, batch.next_observations)
        next_online = next_target
        if config.double_q:
            next_online = network.values(online, batch.next_observations)
        goal = double_q_target(
            batch.rewards, next_online, next_target, batch.terminated, config.discount
        )
    q = network.values(online, batch.observations)
    loss = td_loss(q, batch.actions, goal, batch.active)
    optimizer.zero_grad()
    loss.sum().backward()
    optimizer.step()
    return loss.detach()


@torch.inference_mode(False)  # gradients flow, whatever the caller has switched off
def train_iql(
    worlds: BatchedWorlds,
    config: DeepIQLConfig | None = None,
    seeds=5,
    device: torch.device | str = "cpu",
    progress: Callable[[float], None] | None = None,
    evaluate: Callable[[Callable], object] | None = None,
    before_step: Callable[[BatchedWorlds, int], None] | None = None,
    save_to: str | Path | None = None,
) -> DeepHistory:
    """Independent Q-learning with networks, all seeds side by side (Mnih et al. 2015; Albrecht et al. 2024, Ch. 9).

    ``worlds``: their number must be a multiple of the number of seeds S; seed s learns in worlds s·E to (s+1)·E - 1, from a
    replay of its own, and every agent from its own reward. An agent that takes no part adds nothing to the loss. The
    discount of a game in the worlds is not used, ``config.discount`` is.

    ``seeds``: a count or a sequence of different integers. Networks, exploration and samples of seed s come from its own
    random numbers. The chance in the worlds comes from one stream for all of them: seeds are independent runs, the same
    tuple of seeds always gives the same result on one machine, but a seed's run in random worlds depends on its neighbours.

    ``progress(share)`` is told the share done, from 0 to 1. ``evaluate(policy)`` is called at each record, its answers are
    kept; it must not step ``worlds``, so make others for it. ``before_step(worlds, step)`` may change the worlds while
    training goes on, such as how many cars arrive. ``save_to``: a file that holds the whole run after each record. If it is
    there already, the run in it goes on as if it had never stopped; ``worlds`` need ``snapshot()`` and ``restore()``.

    ``config.network`` exchanges the network: with :class:`~marl_lessons.algorithms.talk.commnet.CommNet` agents learn what to say.

    Example, the first actions of the first seed's cars in other worlds::

        worlds = TrafficJunction("easy", n_worlds=40, vision=1)
        config = DeepIQLConfig(n_steps=500, epsilon=Linear(1.0, 0.05, 300, per="step"), reward_scale=0.1)
        history = train_iql(worlds, config, seeds=5, progress=print)
        policy = history.policy.of_seed(0)
        others = TrafficJunction("easy", n_worlds=3, vision=1)
        actions = policy(others.reset(np.random.default_rng(0)))

    Raises ValueError naming ``worlds`` or ``config`` also if what is learned is no longer finite.
    """
    config, seeds = as_config(config, DeepIQLConfig), as_seeds(seeds)
    check_functions(progress=progress, evaluate=evaluate, before_step=before_step)
    _check_worlds(worlds, seeds, config)
    device, network = usable_device(device), network_of(config)
    n_seeds, n_agents, d = len(seeds), worlds.n_agents, max(worlds.observation_sizes)
    n_worlds, n_inputs = worlds.n_worlds // n_seeds, d + config.agent_id * n_agents
    # Where random numbers come from: one stream for all worlds, and for each seed its own for ε and for torch.
    rng, exploring = np.random.default_rng([1, *seeds]), [np.random.default_rng(s) for s in seeds]
    generators = [torch.Generator().manual_seed(seed) for seed in seeds]
    owners = [g for g in generators for _ in range(1 if config.share_parameters else n_agents)]
    online = network.init(n_inputs, worlds.n_actions[0], owners, device)
    target = copy_parameters(online)
    adam = torch.optim.Adam(online)
    replay = Replay(config.buffer_size, n_seeds, n_agents, n_inputs, device)
    recorder = Recorder(config, seeds, n_worlds, n_agents, n_losses=n_seeds)

    def see(observations: np.ndarray, present: np.ndarray) -> Tensor:
        if config.network is not None:
            observations = mark_present(observations, present)
        return as_inputs(observations, n_seeds, config.agent_id, device)

    def policy_of(parameters: list[Tensor]):
        return network.policy(parameters, n_seeds, n_agents)

    first = worlds.reset(rng)
    check_told("observations", first, (worlds.n_worlds, n_agents, d))
    inputs = see(first, worlds.active).clone()
    parts = {
        "worlds": worlds, "networks": [online, target], "optimizer": adam, "replay": replay,
        "generators": [rng, *exploring, *generators], "inputs": inputs, "recorder": recorder,
    }  # fmt: skip
    about = f"{config}, seeds {seeds}, {worlds.n_worlds} worlds"
    if save_to is not None and Path(save_to).exists():
        load_run(save_to, about, parts)
    for step in range(recorder.n_steps, config.n_steps + 1):
        epsilon = config.epsilon(Progress(step, recorder.episodes, None))
        if recorder.is_due():
            check_numbers([*online, *recorder.losses], inputs, replay)
            learned, rates = copy_parameters(online), np.broadcast_to(np.ravel(epsilon), n_seeds)
            recorder.record(policy_of(learned), learned, evaluate, epsilon=rates)
            if save_to is not None:
                save_run(save_to, about, parts)
            if progress is not None:
                progress(step / config.n_steps)
        if step == config.n_steps:
            break
        if before_step is not None:
            before_step(worlds, step)
        uniform = np.stack([g.random((2, n_worlds, n_agents)) for g in exploring], axis=1)
        actions = choose_actions(online, inputs, epsilon, uniform, config)
        active = worlds.active.copy()
        result = worlds.step(actions.reshape(-1, n_agents), rng)
        if step == 0:
            check_step(result, (worlds.n_worlds, n_agents, d))
        # Of this episode still: a reset comes after.
        later = see(result.observations, present_after(worlds, active, result))
        cut = False if config.bootstrap_on_truncation else result.truncated[:, None]
        rewards = config.reward_scale * result.rewards
        replay.add(inputs, actions, rewards, later, result.terminated | cut, active)
        recorder.step_made(result.rewards, result.ended)
        inputs.copy_(later)
        if result.ended.any():
            inputs.copy_(see(worlds.reset_where(result.ended, rng), worlds.active))
        adam.param_groups[0]["lr"] = config.learning_rate_at(step)
        for _ in range(config.updates_per_step if step >= config.learn_from else 0):
            batch = replay.sample(config.batch_size, generators)
            recorder.update_made(q_update(online, target, adam, batch, config))
            if recorder.n_updates % config.target_interval == 0:
                move_towards(target, online)
    return recorder.history(policy_of, epsilon=recorder.column("epsilon"))


def _check_worlds(worlds, seeds: tuple[int, ...], config: DeepIQLConfig) -> None:
    """Raises ValueError naming ``worlds``, ``seeds`` or ``config`` if they do not fit."""
    check_batched_worlds("worlds", worlds)
    common_n_actions("worlds", worlds)
    each, left = divmod(worlds.n_worlds, len(seeds))
    if left:
        raise ValueError(
            f"worlds: there are {worlds.n_worlds}; {len(seeds)} seeds need a multiple of {len(seeds)}"
        )
    if config.buffer_size < each:
        raise ValueError(
            f"config: buffer_size is {config.buffer_size}; allowed is at least {each}, the worlds of each seed"
        )
    network_of(config).check_worlds(worlds)


def _check_network(config: DeepIQLConfig) -> None:
    """Raises ValueError naming ``network`` for an object that is none, or a setting that it does not go with."""
    if isinstance(config.network, type) or not hasattr(config.network, "check_worlds"):
        raise ValueError(f"network: expected one as CommNet() or None, got {config.network!r:.80}")
    for field, needed in (("agent_id", False), ("share_parameters", True)):
        if getattr(config, field) is not needed:
            raise ValueError(
                f"{field} is {not needed}; a network with messages needs {needed}: its agents share one network, "
                "and those who are absent are told by their zeros"
            )
