"""Long runs kept in files, so that one that stopped goes on as if it had not: one way for all deep learners. Lesson 09."""

from __future__ import annotations

import hashlib
import io
import os
import tempfile
from pathlib import Path

import numpy as np
import torch

ARRAY = "numpy array"  # the key under which a file keeps an array, as a tensor


def save_run(path: str | Path, about: str, parts: dict) -> None:
    """Write a run to ``path``; whenever the program dies, the file holds a whole run.

    about: which run it is, by its settings
    parts: all that changes while it goes on, by name: tensors, arrays, generators of random numbers, optimisers, anything
           with ``snapshot()`` and ``restore(snapshot)``, lists of those
    """
    held = io.BytesIO()
    torch.save({"about": about, "parts": _plain(parts)}, held)
    # The draft has a name that nobody's file has.
    handle, draft = tempfile.mkstemp(dir=Path(path).parent, prefix=f".{Path(path).name}.")
    with os.fdopen(handle, "wb") as file:
        file.write(hashlib.sha256(held.getvalue()).digest() + held.getvalue())
    os.replace(draft, path)


def load_run(path: str | Path, about: str, parts: dict) -> None:
    """Bring ``parts``, in place, to where :func:`save_run` found them. Runs no code that the file may hold.

    Raises ValueError naming ``save_to`` for a file that is damaged, or of a run that was told something else.
    """
    written = Path(path).read_bytes()
    digest, held = written[:32], written[32:]
    if hashlib.sha256(held).digest() != digest:
        raise ValueError(f"save_to: {path} holds no run, or a damaged one")
    saved = torch.load(io.BytesIO(held), map_location="cpu", weights_only=True)
    if saved["about"] != about:
        raise ValueError(f"save_to: {path} holds another run, {saved['about']}; this is {about}")
    for name, part in parts.items():
        _go_back(part, saved["parts"][name])


def _plain(part):
    """What a file can hold of a part."""
    if isinstance(part, dict):
        return {name: _plain(each) for name, each in part.items()}
    if isinstance(part, list | tuple):
        return [_plain(each) for each in part]
    if isinstance(part, np.random.Generator):
        return part.bit_generator.state
    if isinstance(part, torch.Generator):
        return part.get_state()
    if isinstance(part, torch.optim.Optimizer):
        return part.state_dict()
    if isinstance(part, np.ndarray):
        return {ARRAY: torch.tensor(part)}
    if isinstance(part, np.generic):
        return part.item()
    if part is None or isinstance(part, bool | int | float | str | torch.Tensor):
        return part
    return _plain(part.snapshot())


def _go_back(part, saved) -> None:
    """Bring a part to what :func:`_plain` made of it."""
    if isinstance(part, list | tuple):
        for each, its_own in zip(part, saved, strict=True):
            _go_back(each, its_own)
    elif isinstance(part, np.random.Generator):
        part.bit_generator.state = saved
    elif isinstance(part, torch.Generator):
        part.set_state(saved)
    elif isinstance(part, torch.optim.Optimizer):
        part.load_state_dict(saved)
    elif isinstance(part, torch.Tensor):
        part.data.copy_(saved)
    elif isinstance(part, np.ndarray):
        part[...] = _with_arrays(saved)
    else:
        part.restore(_with_arrays(saved))


def _with_arrays(saved):
    """The same with arrays in their places again."""
    if isinstance(saved, dict):
        if set(saved) == {ARRAY}:
            return saved[ARRAY].numpy()
        return {name: _with_arrays(each) for name, each in saved.items()}
    return [_with_arrays(each) for each in saved] if isinstance(saved, list) else saved
