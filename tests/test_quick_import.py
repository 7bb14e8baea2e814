"""TensorFlow's import leaves out what no command uses, and nothing stays left out."""

import json

IMPORTED = """
import gc, json, sys
from tfseq import cli
cli.import_tensorflow()
names = ("tensorflow", "keras", "jax", "matplotlib", "sklearn")
found = {name: name in sys.modules for name in names}
found |= {"collecting": gc.isenabled(), "frozen": gc.get_freeze_count()}
import matplotlib.pyplot, sklearn.gaussian_process
print(json.dumps(found))
"""

FAILED = """
import gc, sys
from tfseq.quick_import import quick_import
try:
    with quick_import():
        import sklearn
except ModuleNotFoundError as error:
    print(error.name, gc.isenabled(), "sklearn" in sys.modules)
"""


def test_what_no_command_uses_is_imported_when_somebody_asks_for_it(python):
    found = json.loads(python(IMPORTED))
    assert found.pop("frozen") > 100_000
    assert found.pop("collecting")
    assert found == {
        "tensorflow": True,
        "keras": True,
        "jax": False,
        "matplotlib": False,
        "sklearn": False,
    }


def test_a_failed_import_leaves_no_trace(python):
    assert python(FAILED).split() == ["sklearn", "True", "False"]
