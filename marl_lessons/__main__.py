"""``python -m marl_lessons`` opens the lessons, see ``start``. Any Python can read this far, so an old one is named."""

import sys

if sys.version_info < (3, 11):  # noqa: UP036
    sys.exit(
        "MARL Lessons needs Python 3.11 or newer; this is Python "
        + sys.version.split()[0]
        + ". Make a virtual environment with a newer one, and run the same command there."
    )

from marl_lessons.start import main

if __name__ == "__main__":
    sys.exit(main())
