"""Command line of the authoring tools: ``python -m tools COMMAND [NOTEBOOK ...]``."""

from __future__ import annotations

import argparse
import sys

from tools import address, execute, pictures, quote, skeleton
from tools.checkout import (
    AuthoringError,
    chosen_notebooks,
    find_root,
    repository_address,
)
from tools.notebook_files import read_notebook, write_notebook


def parser() -> argparse.ArgumentParser:
    """The commands and what they say about themselves."""
    top = argparse.ArgumentParser(
        prog="python -m tools",
        description="Tools for people who write lessons. Run them inside a checkout of the repository.",
        epilog="After editing a lesson: quote, execute, pictures; then run the tests with: python tests",
    )
    commands = top.add_subparsers(dest="command", required=True, metavar="COMMAND")

    run = _command(
        commands, "execute", _execute, "run notebooks from top to bottom and store their outputs"
    )
    run.description = (
        "Runs each notebook in a fresh kernel and stores what it shows, without time stamps and widget "
        "state, so that a second run changes no byte. A notebook with a failing cell is left as it is, and "
        "the exit status is 1. Prints for each lesson its cells, seconds, CPU seconds, peak memory of the "
        "kernel, and size of the file."
    )
    run.add_argument(
        "--cell-seconds",
        type=float,
        default=600.0,
        help="a cell may take this long (default: %(default)g)",
    )
    _notebooks(run)

    show = _command(
        commands, "quote", _quote, "rewrite cells that show package functions from the package"
    )
    show.description = (
        "A code cell whose first line is a comment such as '# marl_lessons.solvers.planning.action_values' "
        "shows that definition, without its docstring. This command copies it from the package. Run "
        "'execute' afterwards."
    )
    show.add_argument(
        "--check",
        action="store_true",
        help="write nothing; list the differences; exit status 1 if any",
    )
    _notebooks(show)

    where = _command(
        commands,
        "address",
        _address,
        "carry the repository's address and the syllabus into badges, first cells, links and tables",
    )
    where.description = (
        "The address stands in pyproject.toml under [project.urls], the syllabus in marl_lessons/course.py. "
        "This command writes what follows from them into every notebook, the Markdown pages and CITATION.cff. With a URL, it first writes that into "
        "pyproject.toml, so that a fork points its badges at itself."
    )
    where.add_argument(
        "--check",
        action="store_true",
        help="write nothing; list files that are behind; exit status 1 if any",
    )
    where.add_argument(
        "url", nargs="?", metavar="URL", help="the new address, https://github.com/OWNER/REPO"
    )

    shown = _command(
        commands, "pictures", _pictures, "copy the README's pictures out of the lessons"
    )
    shown.add_argument(
        "--check",
        action="store_true",
        help="write nothing; list pictures that are behind; exit status 1 if any",
    )

    start = _command(commands, "new", _new, "write the skeleton of a lesson")
    start.description = "Writes notebooks/NN_name.ipynb with every part of a lesson in order; the places to fill say FILL."
    start.add_argument(
        "name", metavar="NN_name", help="number and name of the file, for example 03_two_cars_meet"
    )
    start.add_argument(
        "title", metavar="TITLE", help='title of the lesson, for example "Two cars meet"'
    )
    return top


def _command(
    commands: argparse._SubParsersAction, name: str, action: object, text: str
) -> argparse.ArgumentParser:
    command = commands.add_parser(name, help=text)
    command.set_defaults(action=action)
    return command


def _notebooks(command: argparse.ArgumentParser) -> None:
    text = "notebook files (default: every notebook in notebooks/)"
    command.add_argument("notebooks", nargs="*", metavar="NOTEBOOK", help=text)


def _execute(options: argparse.Namespace) -> int:
    return execute.execute(chosen_notebooks(options.notebooks), options.cell_seconds)


def _quote(options: argparse.Namespace) -> int:
    found = 0
    for path in chosen_notebooks(options.notebooks):
        root, notebook = find_root(path), read_notebook(path)
        if options.check:
            for problem in quote.notebook_problems(root, notebook):
                found += 1
                print(f"{path.name}, {problem}")
        elif changed := quote.rewrite_notebook(root, notebook):
            write_notebook(notebook, path)
            print(f"{path.name}: rewrote {', '.join(changed)}")
    print(f"{found} differences." if options.check else "Quotes are equal to the package.")
    return 1 if found else 0


def _address(options: argparse.Namespace) -> int:
    root = find_root()
    changed = address.point(root, options.url, check=options.check)
    for path in changed:
        print(f"{'behind' if options.check else 'rewrote'}: {path.relative_to(root)}")
    now = options.url or repository_address(root)
    print(
        f"{len(changed)} files {'are behind' if options.check else 'changed'}; the address is {now}"
    )
    return 1 if options.check and changed else 0


def _pictures(options: argparse.Namespace) -> int:
    changed = pictures.write_pictures(find_root(), check=options.check)
    for file in changed:
        print(f"{'behind' if options.check else 'wrote'}: {file}")
    return 1 if options.check and changed else 0


def _new(options: argparse.Namespace) -> int:
    root = find_root()
    path = skeleton.write_lesson(root, options.name, options.title)
    print(
        f"Wrote {path.relative_to(root)}. Fill the places that say FILL, then run: "
        f"python -m tools execute {path.relative_to(root)}"
    )
    return 0


def main(arguments: list[str] | None = None) -> int:
    """Run one command; returns the exit status. An author's mistake ends in one sentence, not in a
    traceback."""
    options = parser().parse_args(arguments)
    try:
        return options.action(options)
    except AuthoringError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
