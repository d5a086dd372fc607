"""Measuring: distances to the exact answer, what a best responder would gain, and summaries over seeds."""

from marl_lessons.evaluation.break_even import break_even, earned_so_far
from marl_lessons.evaluation.convergence import distance_to_optimum, greedy_return, reachable_states
from marl_lessons.evaluation.crossing_levels import (
    CrossingLevel,
    CrossingLevels,
    best_table,
    chance_to_go,
    crossing_levels,
    other_is_nearer,
    pair_returns,
)
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
    joint_action_mdp,
    regret_history,
)
from marl_lessons.evaluation.influence import (
    PlaceMeans,
    by_pair,
    by_place,
    influence_of_all,
    influence_of_each,
)
from marl_lessons.evaluation.information import (
    bits_per_step,
    entropy,
    entropy_from_counts,
    information_from_counts,
    joint_counts,
    mutual_information,
    plug_in_bias,
)
from marl_lessons.evaluation.interventions import Outcome, under_interventions
from marl_lessons.evaluation.matches import share_won, state_chances
from marl_lessons.evaluation.messages import (
    InfluenceMap,
    causal_influence,
    influence_map,
    instantaneous_coordination,
    policy_by_message,
    positive_listening,
    positive_signalling,
    speaker_consistency,
)
from marl_lessons.evaluation.outcomes import (
    Found,
    Passing,
    found_policies,
    outcome_counts,
    passing_chances,
)
from marl_lessons.evaluation.overgeneralisation import values_against
from marl_lessons.evaluation.own_world import OwnWorld, own_world
from marl_lessons.evaluation.particle_drift import (
    LawDrift,
    bootstrap_drift,
    joint_law_drift,
    own_law_drift,
)
from marl_lessons.evaluation.particle_frames import Frames, record
from marl_lessons.evaluation.particle_probes import Probes, record_probes
from marl_lessons.evaluation.particle_references import (
    no_op,
    random_actions,
    to_assigned,
    to_nearest,
    told_listener,
    told_one_step_late,
    untold_listener,
)
from marl_lessons.evaluation.recorded import (
    Curves,
    data_file,
    load_about,
    load_curves,
    save_curves,
)
from marl_lessons.evaluation.returns import discounted_returns
from marl_lessons.evaluation.riddle_levels import RiddleLevels, protocol_reward, riddle_levels
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
from marl_lessons.evaluation.talk import TalkFrames, record_talk
from marl_lessons.evaluation.visit_rates import visit_rates

__all__ = [
    "Band",
    "CrossingLevel",
    "CrossingLevels",
    "Curves",
    "Drift",
    "Found",
    "Frames",
    "InfluenceMap",
    "LawDrift",
    "Outcome",
    "OwnWorld",
    "Passing",
    "PlaceMeans",
    "PlayedEpisodes",
    "Probes",
    "RiddleLevels",
    "Share",
    "SplitError",
    "Staleness",
    "TalkFrames",
    "band",
    "best_late_return",
    "best_listener_return",
    "best_response_changes",
    "best_response_values",
    "best_table",
    "best_untold_return",
    "bits_per_step",
    "bootstrap_drift",
    "break_even",
    "by_pair",
    "by_place",
    "causal_influence",
    "chance_to_go",
    "crossing_levels",
    "data_file",
    "discounted_returns",
    "distance_to_optimum",
    "drift",
    "earned_so_far",
    "entropy",
    "entropy_from_counts",
    "expected_targets",
    "expected_td_errors",
    "exploitability",
    "first_episodes",
    "found_policies",
    "greedy_return",
    "induced_arrays",
    "influence_map",
    "influence_of_all",
    "influence_of_each",
    "information_from_counts",
    "instantaneous_coordination",
    "joint_action_mdp",
    "joint_counts",
    "joint_law_drift",
    "kernel_drift",
    "load_about",
    "load_curves",
    "mutual_information",
    "nash_conv",
    "no_op",
    "other_is_nearer",
    "outcome_counts",
    "own_law_drift",
    "own_world",
    "pair_returns",
    "passing_chances",
    "play_episodes",
    "plug_in_bias",
    "policy_by_message",
    "positive_listening",
    "positive_signalling",
    "protocol_reward",
    "random_actions",
    "reachable_states",
    "record",
    "record_probes",
    "record_talk",
    "regret_history",
    "regrets",
    "reward_drift",
    "riddle_levels",
    "running_mean",
    "save_curves",
    "seen_td_errors",
    "share",
    "share_won",
    "speaker_consistency",
    "split_error",
    "staleness",
    "state_chances",
    "to_assigned",
    "to_nearest",
    "told_listener",
    "told_one_step_late",
    "total_variation",
    "turns",
    "under_interventions",
    "untold_listener",
    "values_against",
    "visit_rates",
    "wilson_interval",
    "worst_case",
]
