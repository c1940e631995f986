"""The notebook runs from its first cell to its last, and what is stored in it is what it prints today."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

NOTEBOOK = Path(__file__).parent.parent / "docs" / "notebook.ipynb"


def executed(notebook: Any) -> Any:
    """The notebook with its outputs of today; text that only repeats what HTML shows is left out."""
    from nbclient import NotebookClient

    NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(NOTEBOOK.parent)}}).execute()
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
        for output in cell.get("outputs", ()):
            if "text/html" in output.get("data", {}):
                output["data"]["text/plain"] = "shown as HTML"
    notebook.metadata.language_info = {"name": "python"}
    return notebook


def printed(notebook: Any) -> list[str]:
    return [o["text"] for cell in notebook.cells for o in cell.get("outputs", ()) if o.output_type == "stream"]


@pytest.mark.full
def test_notebook(request: pytest.FixtureRequest):
    import nbformat

    stored = nbformat.read(NOTEBOOK, 4)
    today = executed(nbformat.read(NOTEBOOK, 4))
    if request.config.getoption("--bless"):
        nbformat.write(today, NOTEBOOK)
    else:
        assert printed(today) == printed(stored), (
            "If the new text is right: `pytest -m full --bless tests/test_notebook.py`."
        )


def test_stored_outputs_are_there():
    """Each cell of code that shows or prints something does so for readers who cannot run it."""
    import nbformat

    notebook = nbformat.read(NOTEBOOK, 4)
    silent = [c.source for c in notebook.cells if c.cell_type == "code" and not c.outputs]
    assert not silent
    shown = [o["data"]["text/html"] for c in notebook.cells for o in c.get("outputs", ()) if "data" in o]
    assert sum("<svg" in html for html in shown) == 4 and sum("<table" in html for html in shown) == 4
    assert NOTEBOOK.stat().st_size < 200_000
