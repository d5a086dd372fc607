"""Rules for a lesson's words: how many, which ones, equations, links and texts that stand for pictures."""

from __future__ import annotations

import re
from collections.abc import Callable

from lesson_file import Cell, Lesson

FORBIDDEN = ("simply", "obviously", "just")
DISPLAYED = re.compile(r"\$\$(.+?)\$\$", re.DOTALL)
TAG = re.compile(r"\\tag\{([^}]*)\}")
CODE_SPAN = re.compile(r"(`+)(?!`).+?(?<!`)\1(?!`)", re.DOTALL)
LINK = re.compile(r"(!?)\[((?:[^\[\]]|\[[^\]]*\])*)\]\(\s*<?([^)\s>]*)>?(?:\s+\"[^\"]*\")?\s*\)")
ABSOLUTE = re.compile(
    r"(?<![\w./:-])/(?:home|root|work|tmp|Users)/|\b[A-Za-z]:\\+(?:Users|Program|Windows|Temp)"
)


def plain(cell: Cell) -> str:
    """A Markdown cell's prose without code, formulas, links and HTML tags."""
    text = CODE_SPAN.sub(" ", cell.prose)
    text = DISPLAYED.sub(" ", text)
    text = re.sub(r"(?<!\\)\$[^$\n]+?\$", " ", text)
    return re.sub(r"<[^>]+>", " ", LINK.sub(" ", text))


def forbidden_words(lesson: Lesson) -> list[str]:
    """Words that belittle a reader who is stuck do not occur in prose."""
    pattern = re.compile(rf"\b({'|'.join(FORBIDDEN)})\b", re.IGNORECASE)
    return [
        f"{cell} says '{match[0]}'; leave it out, or say what makes the step easy."
        for cell in lesson.markdown
        for match in pattern.finditer(plain(cell))
    ]


def equations(lesson: Lesson) -> list[str]:
    """Displayed equations are numbered with ``\\tag{n}``, each number once; at most two a cell."""
    problems: list[str] = []
    seen: set[str] = set()
    for cell in lesson.markdown:
        text = CODE_SPAN.sub("", cell.prose)
        found = DISPLAYED.findall(text)
        if text.count("$$") % 2:
            problems.append(f"{cell} has an odd number of $$; close the equation.")
        if len(found) > 2:
            problems.append(
                f"{cell} displays {len(found)} equations; split the cell, two are allowed."
            )
        for equation in found:
            tags = TAG.findall(equation)
            if not tags:
                problems.append(
                    f"{cell}: the equation '{equation.strip()[:40]}' has no number; add \\tag{{n}}."
                )
            problems += [
                f"{cell}: equation number {tag} is taken already." for tag in tags if tag in seen
            ]
            seen.update(tags)
    if not seen:
        problems.append("no equation is displayed and numbered.")
    return problems


def links(lesson: Lesson) -> list[str]:
    """Links to files of the repository and to headings of the same page lead somewhere."""
    anchors = {text.strip().replace(" ", "-").casefold() for _, text, _ in lesson.headings()}
    problems = []
    for cell in lesson.markdown:
        for _, _, target in LINK.findall(CODE_SPAN.sub("", cell.prose)):
            file, _, anchor = target.partition("#")
            if re.match(r"[a-z][a-z0-9+.-]*:", target):
                continue
            if file and not (lesson.folder / file).exists():
                problems.append(f"{cell} links to {file}, which does not exist.")
            elif file and ".." in file.split("/"):
                problems.append(
                    f"{cell} links to {file}, which readers' copies lack; give its full address."
                )
            if not file and anchor.casefold() not in anchors:
                problems.append(
                    f"{cell} links to '#{anchor}', but no heading of this lesson has that name."
                )
    return problems


def alternative_texts(lesson: Lesson) -> list[str]:
    """Pictures in Markdown cells have an alternative text."""
    problems = []
    for cell in lesson.markdown:
        text = CODE_SPAN.sub("", cell.prose)
        empty = [target for mark, alt, target in LINK.findall(text) if mark and not alt.strip()]
        empty += [
            tag
            for tag in re.findall(r"<img\b[^>]*>", text)
            if not re.search(r"\balt=[\"'][^\"']", tag)
        ]
        problems += [
            f"{cell}: the picture {target[:60]} has no alternative text." for target in empty
        ]
    return problems


def source_paths(lesson: Lesson) -> list[str]:
    """No path of somebody's machine in a source."""
    return [
        f"{cell} holds the absolute path '{match[0]}…'; paths start from the notebook's folder."
        for cell in lesson.cells
        for match in ABSOLUTE.finditer(cell.source)
    ]


def filled(lesson: Lesson) -> list[str]:
    """Nothing of `tools new` is left to fill."""
    return [
        f"{cell} still says FILL." for cell in lesson.cells if re.search(r"\bFILL\b", cell.source)
    ]


RULES: dict[str, Callable[[Lesson], list[str]]] = {
    "filled": filled,
    "forbidden words": forbidden_words,
    "equations": equations,
    "links": links,
    "alternative texts": alternative_texts,
    "paths in sources": source_paths,
}
