"""What learners of the switch riddle were told to do."""

from __future__ import annotations

from dataclasses import dataclass

from marl_lessons.algorithms.deep_settings import as_positive, put_checked
from marl_lessons.checks import as_count, as_number
from marl_lessons.envs.switch_riddle import FEWEST, riddle_days

KINDS = ("dial", "rial", "silent")
USUAL_RECORDS = 20


@dataclass(frozen=True)
class RiddleConfig:
    """Settings of RIAL and DIAL on the switch riddle (Foerster et al. 2016). Raises ValueError naming the field.

    kind             how prisoners learn what to say. "dial": the message is a number that a gradient passes through, from who
                     heard it to who said it. "rial": the message is a second action with values of its own. "silent": nobody
                     says anything
    n_agents         n prisoners, at least 3; an episode has at most T = 4n - 6 days
    n_updates        updates (typical 1,000 to 5,000), each from ``n_episodes`` new episodes (typical 32)
    n_hidden         units of the memory (typical 32 to 128)
    learning_rate    of Adam (typical 1e-3 to 5e-3)
    discount         γ in [0, 1] (typical 1)
    epsilon          ε in [0, 1], probability of a random action, and in RIAL of a random message (typical 0.05)
    noise_scale      standard deviation of the channel's noise in training, 0 or more (typical 2). It has no effect but in DIAL
    target_interval  updates after which the target network becomes a copy of the online one (typical 20 to 100)
    n_records        K: networks are recorded K times at equal distances, and at the start; None: 20 times, or at every update
    """

    kind: str = "dial"
    n_agents: int = 3
    n_updates: int = 1_000
    n_episodes: int = 32
    n_hidden: int = 32
    learning_rate: float = 4e-3
    discount: float = 1.0
    epsilon: float = 0.05
    noise_scale: float = 2.0
    target_interval: int = 20
    n_records: int | None = None

    def __post_init__(self):
        """Check every field."""
        if not isinstance(self.kind, str) or self.kind not in KINDS:
            raise ValueError(f"kind is {self.kind!r:.80}; allowed are {', '.join(KINDS)}")
        put_checked(self, "n_agents", as_count, FEWEST)
        put_checked(self, "n_updates", as_count)
        if self.n_records is None:
            object.__setattr__(self, "n_records", min(USUAL_RECORDS, self.n_updates))
        for name in ("n_episodes", "n_hidden", "target_interval", "n_records"):
            put_checked(self, name, as_count)
        put_checked(self, "learning_rate", as_positive, 1.0)
        for name in ("discount", "epsilon"):
            put_checked(self, name, as_number, 0.0, 1.0)
        put_checked(self, "noise_scale", as_number, 0.0, 100.0)
        if self.n_records > self.n_updates:
            raise ValueError(
                f"n_records is {self.n_records}; allowed is at most n_updates = {self.n_updates}"
            )

    @property
    def n_days(self) -> int:
        """T, the days after which an episode ends."""
        return riddle_days(self.n_agents)
