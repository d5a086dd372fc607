"""Measuring: distances to the exact answer, what a best responder would gain, and summaries over seeds."""

from marl_lessons.evaluation.convergence import distance_to_optimum, greedy_return, reachable_states
from marl_lessons.evaluation.drift import (
    Drift,
    best_response_changes,
    drift,
    kernel_drift,
    reward_drift,
    total_variation,
)
from marl_lessons.evaluation.episodes import PlayedEpisodes, Share, play_episodes, share
from marl_lessons.evaluation.exploitability import (
    exploitability,
    nash_conv,
    regrets,
    worst_case,
)
from marl_lessons.evaluation.gauges import seen_td_errors, turns
from marl_lessons.evaluation.induced import (
    best_response_values,
    expected_targets,
    expected_td_errors,
    induced_arrays,
    regret_history,
)
from marl_lessons.evaluation.matches import share_won, state_chances
from marl_lessons.evaluation.outcomes import (
    Found,
    Passing,
    found_policies,
    outcome_counts,
    passing_chances,
)
from marl_lessons.evaluation.overgeneralisation import values_against
from marl_lessons.evaluation.own_world import OwnWorld, own_world
from marl_lessons.evaluation.particle_references import (
    no_op,
    random_actions,
    to_assigned,
    to_nearest,
    told_listener,
    told_one_step_late,
    untold_listener,
)
from marl_lessons.evaluation.returns import discounted_returns
from marl_lessons.evaluation.staleness import SplitError, Staleness, split_error, staleness
from marl_lessons.evaluation.statistics import (
    Band,
    band,
    first_episodes,
    running_mean,
    wilson_interval,
)
from marl_lessons.evaluation.steering import (
    best_late_return,
    best_listener_return,
    best_untold_return,
)
from marl_lessons.evaluation.visit_rates import visit_rates

__all__ = [
    "Band",
    "Drift",
    "Found",
    "OwnWorld",
    "Passing",
    "PlayedEpisodes",
    "Share",
    "SplitError",
    "Staleness",
    "band",
    "best_late_return",
    "best_listener_return",
    "best_response_changes",
    "best_response_values",
    "best_untold_return",
    "discounted_returns",
    "distance_to_optimum",
    "drift",
    "expected_targets",
    "expected_td_errors",
    "exploitability",
    "first_episodes",
    "found_policies",
    "greedy_return",
    "induced_arrays",
    "kernel_drift",
    "nash_conv",
    "no_op",
    "outcome_counts",
    "own_world",
    "passing_chances",
    "play_episodes",
    "random_actions",
    "reachable_states",
    "regret_history",
    "regrets",
    "reward_drift",
    "running_mean",
    "seen_td_errors",
    "share",
    "share_won",
    "split_error",
    "staleness",
    "state_chances",
    "to_assigned",
    "to_nearest",
    "told_listener",
    "told_one_step_late",
    "total_variation",
    "turns",
    "untold_listener",
    "values_against",
    "visit_rates",
    "wilson_interval",
    "worst_case",
]
