"""What a saved run of MADDPG must hold, so that going on from a damaged file fails at once and says why.

A state is what ``MADDPGRun.state()`` returns: dicts, lists, numbers, strings and tensors. All errors are ValueErrors that name the
part; whoever read the file says which file it was.
"""

from __future__ import annotations

PARTS = {
    "config": dict,
    "seed": int,
    "kind": dict,
    "networks": list,
    "optimizers": list,
    "replay": dict,
    "worlds": dict,
    "rng": dict,
    "generator": None,
    "noise": None,
    "seen": None,
    "total": None,
    "counts": list,
    "seconds": float,
    "ended": list,
    "records": list,
}  # None: a tensor


def kind_of(worlds, action_sizes, continuous: bool, snapshot: dict) -> dict:
    """What worlds must have in common for one to take the other's place in a run, and what they say of it in a ``snapshot``."""
    sizes = {"actions": action_sizes, "observations": worlds.observation_sizes}
    lists = {name: [int(size) for size in each] for name, each in sizes.items()}
    told = snapshot.get("kind", {})
    rules = told if isinstance(told, dict) else {"kind": told}
    return {"n_worlds": int(worlds.n_worlds), "continuous": continuous, **rules, **lists}


def check_parts(state) -> None:
    """Raises ValueError unless ``state`` is a dict with all :data:`PARTS`, each of its type."""
    if not isinstance(state, dict):
        raise ValueError(f"it is a {type(state).__name__}, not a run")
    missing = [name for name in PARTS if name not in state]
    if missing:
        raise ValueError(f"{', '.join(missing)} missing")
    for name, kind in PARTS.items():
        if not (hasattr(state[name], "shape") if kind is None else type(state[name]) is kind):
            raise ValueError(f"{name} is {state[name]!r:.60}")
    if not {"n_worlds", "continuous", "actions", "observations"} <= set(state["kind"]):
        raise ValueError(f"kind is {state['kind']!r:.60}")


def check_state(state: dict, fresh: dict, moments: list[int]) -> None:
    """Raises ValueError unless ``state``, checked by :func:`check_parts`, may be that of a run that began as ``fresh``.

    ``moments``: the steps at which the run makes its records. What replay and worlds hold is left to them.
    """
    for name in ("networks", "rng", "generator", "noise", "seen", "total", "counts"):
        check_like(name, state[name], fresh[name])
    actors, critics = fresh["networks"][:2]
    n = len(actors[0])
    check_records(state, moments, n, actors)
    check_ended(state["ended"], n)
    stored, n_rows = state["replay"].get("n_stored"), state["counts"][0] * fresh["kind"]["n_worlds"]
    if stored != n_rows:
        raise ValueError(f"replay['n_stored'] is {stored!r:.60}, not {n_rows}")
    check_like("optimizers", [0] * len(state["optimizers"]), [0, 0])
    for i, learned in enumerate((actors, critics)):
        parts = [{"step": p.sum(), "exp_avg": p, "exp_avg_sq": p} for p in learned]
        model = dict(enumerate(parts)) if state["counts"][1] else {}
        check_like(f"optimizers[{i}]['state']", state["optimizers"][i]["state"], model)


def check_like(name: str, given, model) -> None:
    """Raises ValueError naming the first place where ``given`` is not built as ``model``: keys, lengths, types, shapes.

    What numbers it holds is free, but tensors must be finite.
    """
    if type(given) is not type(model):
        raise ValueError(f"{name} is {given!r:.60}")
    if isinstance(model, dict):
        if set(given) != set(model):
            raise ValueError(
                f"{name} has {sorted(given, key=str)!r:.60}, not {sorted(model)!r:.60}"
            )
        for key in model:
            check_like(f"{name}[{key!r}]", given[key], model[key])
    elif isinstance(model, list):
        if len(given) != len(model):
            raise ValueError(f"{name} has {len(given)} entries, not {len(model)}")
        for i, (mine, wanted) in enumerate(zip(given, model)):
            check_like(f"{name}[{i}]", mine, wanted)
    elif hasattr(model, "shape"):
        if given.shape != model.shape or given.is_floating_point() != model.is_floating_point():
            raise ValueError(f"{name} has shape {tuple(given.shape)}, not {tuple(model.shape)}")
        if not given.isfinite().all():
            raise ValueError(f"{name} is not finite")


def check_records(state: dict, moments: list[int], n_agents: int, actors: list) -> None:
    """Raises ValueError unless the records are those of the first ``moments``, and the counts those of the last record.

    ``actors``: tensors of the shapes that recorded actors must have.
    """
    records, (n_steps, n_updates) = state["records"], state["counts"]
    if not records:
        raise ValueError("records are empty")
    whole = {"step": 0, "updates": 0, "losses": [0.0] * n_agents, "seconds": 0.0, "actors": actors}
    for k, record in enumerate(records):
        check_like(f"records[{k}]", record, {**whole, "evaluation": _evaluation(k, record)})
    if [record["step"] for record in records] != moments[: len(records)]:
        raise ValueError("records were not made at the steps of its config")
    if [n_steps, n_updates] != [records[-1]["step"], records[-1]["updates"]]:
        raise ValueError(f"counts are {[n_steps, n_updates]}, not those of the last record")


def check_ended(ended: list, n_agents: int) -> None:
    """Raises ValueError unless ``ended`` are pairs of tensors: returns ``[episodes, n]`` and steps ``[episodes]``."""
    for k, pair in enumerate(ended):
        shapes = [tuple(getattr(part, "shape", ())) for part in pair] if type(pair) is list else []
        if len(shapes) != 2 or len(shapes[1]) != 1 or shapes[0] != (*shapes[1], n_agents):
            raise ValueError(f"ended[{k}] has shapes {shapes}")


def _evaluation(k: int, record):
    """What ``evaluate`` said at record k, if it is None, a number or a list; raises ValueError otherwise."""
    value = record.get("evaluation", "nothing") if isinstance(record, dict) else "nothing"
    if value is not None and type(value) not in (float, list):
        raise ValueError(f"records[{k}]['evaluation'] is {value!r:.60}")
    return value
