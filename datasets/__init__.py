"""The data sets: TFDS builders, one folder each.

`load` is what the rest of tfseq needs: it returns a builder whose records are on disk.
"""

import importlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tfseq.errors import UserError

if TYPE_CHECKING:
    from tfseq.datasets.record_builder import RecordBuilder

_NAMES = ("emg_lower_limb", "record_sets", "simulated_emg")


def names() -> tuple[str, ...]:
    """Returns the names of the data sets, in alphabetical order."""
    return _NAMES


def builder_class(name: str) -> type["RecordBuilder"]:
    """Returns the TFDS builder class of a data set, which registers it with TFDS.

    Args:
        name: One of `names()`.

    Raises:
        UserError: If there is no such data set.
    """
    if name not in _NAMES:
        raise UserError(f"--dataset: there is no data set {name!r}; there are {', '.join(_NAMES)}")
    return importlib.import_module(f"tfseq.datasets.{name}.{name}_dataset_builder").Builder


def load(
    name: str,
    *,
    data_dir: str | Path | None = None,
    manual_dir: str | Path | None = None,
    beam_pipeline_options: str | None = None,
    **settings: Any,
) -> "RecordBuilder":
    """Returns a builder whose records are on disk; builds them if they are not.

    A data set that is made from the user's files is built again once those files have changed.

    Args:
        name: One of `names()`.
        data_dir: Where TFDS keeps data sets; TFDS's own default (`~/tensorflow_datasets`) if None.
        manual_dir: The folder of the raw files, for the data sets that are made from some.
        beam_pipeline_options: Options of Apache Beam, to build with it: `name=value` of each, with
            commas between. The records do not depend on it.
        **settings: Settings of the data set: the fields of its builder config. None is its default.

    Raises:
        UserError: If a name, a setting, the folder or a record in it is not as expected.
    """
    from tfseq.datasets import beam, preparing

    cls = builder_class(name)
    known = cls.CONFIG_CLASS.settings()
    given = {key: value for key, value in settings.items() if value is not None}
    for key in sorted(set(given) - set(known)):
        raise UserError(
            f"--config.dataset.{key}: {name} has no such setting; it has {', '.join(known)}"
        )
    folder = None
    if manual_dir is not None:
        folder = Path(manual_dir).expanduser()
        if not folder.is_dir():
            raise UserError(
                f"--manual_dir: there is no folder {folder}; "
                f"{name} {f'wants one with {cls.EXPECTS}' if cls.EXPECTS else 'needs none'}"
            )
    config = cls.CONFIG_CLASS.from_settings(folder, **given)
    beam_options = beam_pipeline_options and beam.pipeline_options(beam_pipeline_options)
    return preparing.prepared(
        cls, config, data_dir=data_dir, manual_dir=folder, beam_options=beam_options or None
    )
