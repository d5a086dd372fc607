"""What MADDPG was told to do."""

from __future__ import annotations

from dataclasses import dataclass

from marl_lessons.algorithms.deep_settings import as_positive, as_units, put_checked
from marl_lessons.checks import as_count, as_flag, as_number

USUAL_RECORDS = 20


@dataclass(frozen=True)
class MADDPGConfig:
    """Settings of MADDPG, and of independent DDPG, which is the same with ``central=False``. Raises ValueError naming the field.

    n_steps           steps that every world makes (typical 2,000 to 10,000)
    central           True: each critic sees what all agents see and do. False: its own agent alone, independent DDPG
    hidden_sizes      units of each hidden layer of actors and critics (typical ``(64, 64)``)
    actor_rate        learning rate of the actors' Adam (typical 1e-4 to 4e-3)
    critic_rate       learning rate of the critics' Adam (typical 1e-3 to 1e-2)
    discount          γ in [0, 1] (typical 0.8 to 0.99)
    target_rate       τ: share of the way that targets move to the online networks after an update (typical 0.01 to 0.05)
    batch_size        joint transitions in a batch (typical 64 to 1,024)
    buffer_size       joint transitions that the replay keeps (typical 10,000 to 1,000,000)
    updates_per_step  updates after each step of all worlds (typical 1 to 4)
    learn_from        steps of all worlds before the first update; with few, actors climb critics that know nothing yet, and end
                      where σ is flat (typical 50 to 500)
    noise_start, noise_end, noise_over  exploration of continuous actions: standard deviation of the noise at first, and from
                      ``noise_over`` updates on, with a straight line between (typical 0.3 to 0.6, 0.05 to 0.1). Counted in
                      updates, never in seconds, so that a run does not depend on the machine. Whole-number actions explore
                      by Gumbel noise instead
    noise_correlation ρ in [0, 1): how alike the noise of neighbouring steps is; 0 is white noise, and ρ > 0 an
                      Ornstein-Uhlenbeck process seen at whole steps, of the same standard deviation (typical 0 to 0.9)
    logit_weight      weight of the mean squared logit in the actors' loss (typical 1e-3)
    bootstrap_on_truncation  True: a truncated episode's last target still counts what would have come next. False treats
                      truncation as termination: a mistake, here to be studied
    n_records         K: actors are recorded K times at equal distances, and at the start; None: 20 times, or at every step
    """

    n_steps: int = 4_000
    central: bool = True
    hidden_sizes: tuple[int, ...] = (64, 64)
    actor_rate: float = 4e-3
    critic_rate: float = 4e-3
    discount: float = 0.8
    target_rate: float = 0.03
    batch_size: int = 256
    buffer_size: int = 100_000
    updates_per_step: int = 1
    learn_from: int = 100
    noise_start: float = 0.4
    noise_end: float = 0.1
    noise_over: int = 2_000
    noise_correlation: float = 0.7
    logit_weight: float = 1e-3
    bootstrap_on_truncation: bool = True
    n_records: int | None = None

    def __post_init__(self):
        """Check every field."""
        put_checked(self, "n_steps", as_count)
        if self.n_records is None:
            object.__setattr__(self, "n_records", min(USUAL_RECORDS, self.n_steps))
        for name in ("batch_size", "buffer_size", "noise_over", "n_records"):
            put_checked(self, name, as_count)
        for name in ("updates_per_step", "learn_from"):
            put_checked(self, name, as_count, 0)
        for name in ("central", "bootstrap_on_truncation"):
            put_checked(self, name, as_flag)
        for name in ("actor_rate", "critic_rate", "target_rate"):
            put_checked(self, name, as_positive, 1.0)
        put_checked(self, "discount", as_number, 0.0, 1.0)
        for name in ("noise_start", "noise_end", "logit_weight"):
            put_checked(self, name, as_number, 0.0, 10.0)
        put_checked(self, "noise_correlation", as_number, 0.0, 0.999)
        put_checked(self, "hidden_sizes", as_units)
        if self.n_records > self.n_steps:
            raise ValueError(
                f"n_records is {self.n_records}; allowed is at most n_steps = {self.n_steps}"
            )

    def noise_scale(self, n_updates: int) -> float:
        """The standard deviation of the exploration noise after ``n_updates`` updates."""
        share = min(1.0, n_updates / self.noise_over)
        return self.noise_start + share * (self.noise_end - self.noise_start)
