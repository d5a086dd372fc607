"""Makes an executed notebook independent of the moment and the machine of its execution.

What goes: time stamps, widget state and model ids, editors' remarks, the exact Python version. What stays:
sources, ids, tags, pictures and texts. Executing twice then writes the same bytes twice.
"""

from __future__ import annotations

from typing import Any

from tools.notebook_files import give_ids

WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"
KERNELSPEC = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}
LANGUAGE = {
    "file_extension": ".py",
    "mimetype": "text/x-python",
    "name": "python",
    "pygments_lexer": "ipython3",
}
NOTEBOOK_REMARKS = (
    "widgets",
    "colab",
    "vscode",
    "accelerator",
    "gpuClass",
    "signature",
    "orig_nbformat",
    "toc",
)
CELL_REMARKS = (
    "execution",
    "ExecuteTime",
    "collapsed",
    "scrolled",
    "colab",
    "id",
    "outputId",
    "vscode",
    "trusted",
)


def normalise(notebook: Any) -> Any:
    """Normalise an executed notebook in place and return it. Doing it twice changes nothing more."""
    for remark in NOTEBOOK_REMARKS:
        notebook.metadata.pop(remark, None)
    notebook.metadata.update(kernelspec=dict(KERNELSPEC), language_info=dict(LANGUAGE))
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    give_ids(notebook.cells)
    count = 0
    for cell in notebook.cells:
        for remark in CELL_REMARKS:
            cell.metadata.pop(remark, None)
        if cell.cell_type == "code":
            executed = bool(cell.source.strip())
            count += executed
            cell.execution_count = count if executed else None
            cell.outputs = tidy_outputs(cell.outputs, cell.execution_count)
    return notebook


def tidy_outputs(outputs: list[Any], count: int | None) -> list[Any]:
    """Outputs without widget views, printed text in one piece, results numbered like their cell.

    A picture is stored as its PNG alone: viewers that clean HTML would prefer that and lose the picture.
    """
    kept: list[Any] = []
    for output in outputs:
        if "data" in output:
            output.data.pop(WIDGET_VIEW, None)
            output.metadata.pop(WIDGET_VIEW, None)
            if "image/png" in output.data:
                output.data.pop("text/html", None)
            if not output.data or output.data == {"text/plain": ""}:  # a bar that has gone
                continue
        if output.output_type == "execute_result":
            output.execution_count = count
        if kept and _continues(kept[-1], output):
            kept[-1].text += output.text
        else:
            kept.append(output)
    return kept


def _continues(previous: Any, output: Any) -> bool:
    """Whether both are text printed to the same stream: the kernel cuts it into pieces as it likes."""
    return previous.output_type == output.output_type == "stream" and previous.name == output.name
