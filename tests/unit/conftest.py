"""Settings of the property tests: the same examples in every run, no deadlines, nothing written to disk."""

import tempfile

from hypothesis import settings
from hypothesis.configuration import set_hypothesis_home_dir

set_hypothesis_home_dir(tempfile.mkdtemp(prefix="hypothesis-"))
settings.register_profile("unit", database=None, deadline=None, derandomize=True, max_examples=40)
settings.load_profile("unit")
