"""Deep independent Q-learning: every agent learns as if the others were part of the world, with networks and replay."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from marl_lessons.algorithms.deep_checks import (
    check_functions,
    check_numbers,
    check_step,
    checked_observations,
    checked_shape,
    usable_device,
)
from marl_lessons.algorithms.deep_q import agent_values, double_q_target, td_loss, with_agent_id
from marl_lessons.algorithms.deep_records import DeepHistory, DeepRecorder
from marl_lessons.algorithms.deep_settings import DeepIQLConfig
from marl_lessons.algorithms.history import as_config
from marl_lessons.algorithms.networks import copy_parameters, init_mlp, move_towards
from marl_lessons.algorithms.replay import Batch, Replay
from marl_lessons.algorithms.schedules import Progress
from marl_lessons.algorithms.temporal_difference import epsilon_greedy, one_draw_for_all
from marl_lessons.checks import as_float_array, as_position
from marl_lessons.envs.batched import BatchedWorlds
from marl_lessons.seeds import UniformStreams, as_seeds


@dataclass(frozen=True, eq=False)
class GreedyPolicy:
    """The greedy joint actions of S seeds' networks: ``policy(observations[S·E, n, d])`` is ``actions[S·E, n]``.

    Seed s acts in worlds s·E to (s+1)·E - 1, for any number E. :meth:`of_seed` is a policy for one seed's worlds alone.
    """

    parameters: list[Tensor]
    n_seeds: int
    n_agents: int
    share_parameters: bool
    agent_id: bool

    def __call__(self, observations: np.ndarray) -> np.ndarray:
        """Greedy ``actions[S·E, n]``; the lowest index wins a tie. Raises ValueError naming ``observations``."""
        return self.values(observations).argmax(axis=-1)

    def values(self, observations: np.ndarray) -> np.ndarray:
        """Action values ``[S·E, n, A]`` for ``observations[S·E, n, d]``; raises ValueError naming ``observations``."""
        d = self.parameters[0].shape[1] - self.agent_id * self.n_agents
        seen = as_float_array("observations", observations, (None, self.n_agents, d))
        if len(seen) % self.n_seeds:
            raise ValueError(
                f"observations: {len(seen)} worlds cannot be shared out to {self.n_seeds} seeds"
            )
        inputs = as_inputs(seen, self.n_seeds, self.agent_id, self.parameters[0].device)
        with torch.no_grad():
            q = agent_values(self.parameters, inputs, self.share_parameters)
        return q.flatten(0, 1).cpu().numpy()

    def of_seed(self, which: int) -> GreedyPolicy:
        """The policy of the seed at position ``which`` alone; raises ValueError naming ``which``."""
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


def train_iql(
    worlds: BatchedWorlds,
    config: DeepIQLConfig | None = None,
    seeds=5,
    device: torch.device | str = "cpu",
    progress: Callable[[float], None] | None = None,
    evaluate: Callable[[Callable], object] | None = None,
    before_step: Callable[[BatchedWorlds, int], None] | None = None,
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
    training goes on, such as how many cars arrive.

    ``config.network`` exchanges the network: with :class:`~marl_lessons.algorithms.communication.commnet.CommNet` agents learn what to say.

    Example, the first actions of the first seed's cars in other worlds::

        worlds = TrafficJunction("easy", n_worlds=40, vision=1)
        config = DeepIQLConfig(n_steps=500, epsilon=Linear(1.0, 0.05, 300, per="step"), reward_scale=0.1)
        history = train_iql(worlds, config, seeds=5, progress=print)
        policy = history.policy.of_seed(0)
        others = TrafficJunction("easy", n_worlds=3, vision=1)
        actions = policy(others.reset(np.random.default_rng(0)))

    Raises ValueError naming the argument: ``worlds`` also if its agents have different numbers of actions, if a step brings
    arrays of other shapes, or observations or rewards that are not finite; ``config`` also if what is learned diverges.
    """
    config, seeds = as_config(config, DeepIQLConfig), as_seeds(seeds)
    shape, device = checked_shape(worlds, seeds, config), usable_device(device)
    check_functions(progress=progress, evaluate=evaluate, before_step=before_step)
    network_of(config).check_worlds(worlds)
    n_seeds, n_worlds, n_agents = shape
    seen_shape = (worlds.n_worlds, n_agents, max(worlds.observation_sizes))
    # Where random numbers come from: one stream for all worlds, and for each seed its own for ε and for torch.
    rng = np.random.default_rng([1, *seeds])
    streams = UniformStreams(seeds, n_numbers=2 * n_worlds * n_agents, block=100)
    generators = [torch.Generator().manual_seed(seed % 2**63) for seed in seeds]
    owners = [g for g in generators for _ in range(1 if config.share_parameters else n_agents)]

    n_inputs = max(worlds.observation_sizes) + config.agent_id * n_agents
    network = network_of(config)
    online = network.init(n_inputs, worlds.n_actions[0], owners, device)
    target = copy_parameters(online)
    optimizer = torch.optim.Adam(online)
    replay = Replay(config.buffer_size, n_seeds, n_agents, n_inputs, device)
    recorder = DeepRecorder(config, seeds, shape)

    def see(observations):
        return as_inputs(observations, n_seeds, config.agent_id, device)

    def policy():
        check_numbers([*online, *recorder.losses], inputs, replay)
        return network.policy(copy_parameters(online), n_seeds, n_agents)

    inputs = see(checked_observations(worlds.reset(rng), seen_shape))
    for step in range(config.n_steps):
        epsilon = config.epsilon(Progress(step, recorder.episode, None))
        recorder.record_if_due(step, epsilon, policy, evaluate, progress)
        if before_step is not None:
            before_step(worlds, step)
        uniform = streams.next().reshape(2, n_worlds, n_agents, n_seeds).transpose(0, 3, 1, 2)
        actions = choose_actions(online, inputs, epsilon, uniform, config)
        active = worlds.active.reshape(shape).copy()
        result = worlds.step(actions.reshape(-1, n_agents), rng)
        if step == 0:
            check_step(result, seen_shape)
        next_inputs = see(result.observations)  # of this episode still: a reset comes after
        cut = False if config.bootstrap_on_truncation else result.truncated[:, None]
        terminated = (result.terminated | cut).reshape(shape)
        rewards = config.reward_scale * result.rewards.reshape(shape)
        replay.add(inputs, actions, rewards, next_inputs, terminated, active)
        recorder.step_made(step, result.rewards, result.ended)
        inputs = see(worlds.reset_where(result.ended, rng)) if result.ended.any() else next_inputs
        optimizer.param_groups[0]["lr"] = config.learning_rate_at(step)
        for _ in range(config.updates_per_step if step >= config.learn_from else 0):
            batch = replay.sample(config.batch_size, generators)
            recorder.update_made(q_update(online, target, optimizer, batch, config))
            if recorder.n_updates % config.target_interval == 0:
                move_towards(target, online)
    epsilon = config.epsilon(Progress(config.n_steps, recorder.episode, None))
    recorder.record_if_due(config.n_steps, epsilon, policy, evaluate, progress)
    return recorder.history()
