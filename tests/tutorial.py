"""Executes docs/tutorial.ipynb in a kernel of this interpreter.

After a change to the notebook, or to what it prints:  python tests/tutorial.py
"""

import contextlib
import tempfile
from pathlib import Path

import command
import nbclient
import nbformat
from jupyter_client.kernelspec import KernelSpecManager
from jupyter_client.manager import AsyncKernelManager

NOTEBOOK = Path(__file__).parents[1] / "docs" / "tutorial.ipynb"

_LIMIT_SECONDS = 300  # for a cell


def read():
    """Returns the notebook as it is committed."""
    return nbformat.read(NOTEBOOK, as_version=4)


@contextlib.contextmanager
def kernel(folder):
    """Yields a function that executes all cells and returns the notebook, if no cell fails.

    What one call of it leaves in the kernel, the next one finds.

    Args:
        folder: The working directory, which the notebook writes to.
    """
    # Without folders to search, "python3" is this interpreter, not one that a user has registered.
    specs = KernelSpecManager(kernel_dirs=[])
    manager = AsyncKernelManager(kernel_name="python3", kernel_spec_manager=specs)
    client = nbclient.NotebookClient(
        read(), km=manager, timeout=_LIMIT_SECONDS, coalesce_streams=True, record_timing=False
    )
    # IPython would read the user's own settings.
    environment = command.environment(IPYTHONDIR=str(folder / "ipython"))
    with client.setup_kernel(cleanup_kc=True, cwd=str(folder), env=environment):
        yield client.execute


def text(cell):
    """Returns what a cell has printed or shown, as text."""
    shown = [
        output.text if output.output_type == "stream" else output.data.get("text/plain", "")
        for output in cell.outputs
    ]
    return "".join(shown)


def _write(notebook):
    """Writes the notebook without what is only true of the machine that executed it."""
    notebook.metadata.language_info = {"name": "python"}
    for cell in notebook.cells:
        cell.metadata = {}
    nbformat.write(notebook, NOTEBOOK)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as temporary, kernel(Path(temporary)) as execute:
        _write(execute())
    print(NOTEBOOK)
