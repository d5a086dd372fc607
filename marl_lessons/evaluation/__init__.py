"""Measuring: distances to the exact answer, what a best responder would gain, and summaries over seeds."""

from marl_lessons.evaluation.distances import (
    Found,
    Passing,
    distance_to_optimum,
    exploitability,
    found_policies,
    greedy_return,
    nash_conv,
    outcome_counts,
    passing_chances,
    reachable_states,
    regrets,
    share_won,
    state_chances,
    values_against,
    worst_case,
)
from marl_lessons.evaluation.moving_target.drift import (
    Drift,
    best_response_changes,
    drift,
    kernel_drift,
    reward_drift,
    seen_td_errors,
    total_variation,
    turns,
)
from marl_lessons.evaluation.moving_target.induced import (
    best_response_values,
    expected_targets,
    expected_td_errors,
    induced_arrays,
    joint_action_mdp,
    visit_rates,
)
from marl_lessons.evaluation.moving_target.own_world import OwnWorld, own_world
from marl_lessons.evaluation.moving_target.staleness import (
    SplitError,
    Staleness,
    split_error,
    staleness,
)
from marl_lessons.evaluation.particles.drift import (
    LawDrift,
    bootstrap_drift,
    joint_law_drift,
    own_law_drift,
)
from marl_lessons.evaluation.particles.frames import Frames, Probes, record, record_probes
from marl_lessons.evaluation.particles.references import (
    best_late_return,
    best_listener_return,
    best_untold_return,
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
from marl_lessons.evaluation.statistics import (
    Band,
    PlayedEpisodes,
    Share,
    band,
    break_even,
    discounted_returns,
    earned_so_far,
    first_episodes,
    play_episodes,
    running_mean,
    share,
    wilson_interval,
)
from marl_lessons.evaluation.talk.channels import Outcome, under_interventions
from marl_lessons.evaluation.talk.influence import (
    PlaceMeans,
    TalkFrames,
    by_place,
    influence_of_all,
    record_talk,
)
from marl_lessons.evaluation.talk.information import (
    bits_per_step,
    causal_influence,
    entropy,
    entropy_from_counts,
    mutual_information,
)
from marl_lessons.evaluation.talk.levels import (
    CrossingLevel,
    CrossingLevels,
    RiddleLevels,
    best_table,
    chance_to_go,
    crossing_levels,
    other_is_nearer,
    pair_returns,
    protocol_reward,
    riddle_levels,
)
