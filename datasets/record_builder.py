"""What all data sets share: a record's features and checks, and settings as builder configs."""

import dataclasses
import hashlib
import itertools
import sys
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import tensorflow_datasets as tfds
from etils import epath

from tfseq import schema
from tfseq.errors import UserError

_LONGEST_NAME = 150  # of a config; TFDS adds to it, and file systems allow 255


@dataclasses.dataclass(eq=False, kw_only=True)
class RecordConfig(tfds.core.BuilderConfig):
    """A builder config whose own fields are the settings of a data set (`--config.dataset.*`)."""

    @classmethod
    def settings(cls) -> tuple[str, ...]:
        """Returns the names of the settings."""
        inherited = {field.name for field in dataclasses.fields(tfds.core.BuilderConfig)}
        return tuple(f.name for f in dataclasses.fields(cls) if f.name not in inherited)

    @classmethod
    def from_settings(cls, manual_dir: Path | None, **settings: Any) -> Self:
        """Returns the config for some settings, named after those that are not the default.

        Args:
            manual_dir: The folder of the raw files, for configs that depend on what is in it.
            **settings: Values for some of `settings()`.

        Raises:
            UserError: If a value is not one that the data set can be built with.
        """
        del manual_dir
        config = cls(name="", **settings)
        default = cls(name="")
        changed = {
            name: getattr(config, name)
            for name in cls.settings()
            if getattr(config, name) != getattr(default, name)
        }
        config.name = _short(
            "-".join(f"{k}_{_as_name(v)}" for k, v in changed.items()) or "default"
        )
        return config


def _short(name: str) -> str:
    """Returns a name that a folder can have: a digest in place of the rest of a long one."""
    if len(name) <= _LONGEST_NAME:
        return name
    return f"{name[:_LONGEST_NAME]}-{hashlib.sha256(name.encode()).hexdigest()[:16]}"


def _as_name(value: Any) -> str:
    return "_".join(map(_as_name, value)) if isinstance(value, tuple | list) else f"{value}"


class RecordBuilder(tfds.core.GeneratorBasedBuilder, skip_registration=True):
    """A data set of records: a waveform, a label for every step, an identity and a group.

    A subclass in `datasets/<name>/<name>_dataset_builder.py` says how records are generated. One
    that reads the user's files also defines `EXPECTS` and `source_files`.
    """

    VERSION = tfds.core.Version("1.0.0")
    CONFIG_CLASS: ClassVar[type[RecordConfig]]
    EXPECTS: ClassVar[str | None] = None
    """What `--manual_dir` must hold, in words; None for a data set that needs no files."""

    with_beam = False
    """Whether Apache Beam generates the records."""

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        # TFDS derives these from the package's name, which an editable install does not follow.
        cls.code_path = epath.Path(sys.modules[cls.__module__].__file__)
        cls.pkg_dir_path = cls.code_path.parent

    @classmethod
    def source_files(cls, manual_dir: Path, config: RecordConfig) -> list[Path]:
        """Returns the raw files that a data set is made of.

        Raises:
            UserError: If there is none.
        """
        raise NotImplementedError

    def record_shape(self) -> tuple[int, int]:
        """Returns (channels, steps) of this data set's waveforms."""
        return schema.waveform_shape()

    def from_parts(self, parts: Iterable[Any], generate: Callable[[Any], Iterator]) -> Any:
        """Returns the examples of a split: an iterator, or a Beam transform if it is built so.

        Args:
            parts: What the split consists of, in order.
            generate: Yields the examples of a part. Beam pickles it.
        """
        if not self.with_beam:
            return itertools.chain.from_iterable(map(generate, parts))
        import apache_beam

        return apache_beam.Create(parts) | apache_beam.Reshuffle() | apache_beam.FlatMap(generate)

    def _info(self) -> tfds.core.DatasetInfo:
        channels, steps = self.record_shape()
        stored = tfds.features.Encoding.BYTES
        return self.dataset_info_from_configs(
            features=tfds.features.FeaturesDict(
                {
                    "waveform": tfds.features.Tensor(
                        shape=(channels, steps), dtype=np.float32, encoding=stored
                    ),
                    "label": tfds.features.Tensor(
                        shape=(steps,), dtype=np.float32, encoding=stored
                    ),
                    "record_id": tfds.features.Text(),
                    "group": tfds.features.Text(),
                }
            ),
            supervised_keys=("waveform", "label"),
            metadata=tfds.core.MetadataDict(),
        )


def check_record(
    waveform: np.ndarray,
    label: np.ndarray,
    where: str,
    label_range: tuple[float, float],
    *,
    allow_nonfinite: bool = False,
    allow_out_of_range: bool = False,
) -> None:
    """Refuses a record that is not finite or whose labels lie outside the range.

    Args:
        waveform: (channels, steps).
        label: (steps,).
        where: The file and record, for the message.
        label_range: The lowest and the highest label allowed.
        allow_nonfinite: Let NaN and infinity through.
        allow_out_of_range: Let labels outside `label_range` through.

    Raises:
        UserError: If the record is refused.
    """
    for name, values in (("waveform", waveform), ("label", label)):
        bad = np.flatnonzero(~np.isfinite(values))
        if bad.size and not allow_nonfinite:
            raise UserError(
                f"{where}: {name} is {np.ravel(values)[bad[0]]} at step "
                f"{bad[0] % values.shape[-1]}; expected finite numbers "
                "(--config.dataset.allow_nonfinite=true lets them through)"
            )
    low, high = label_range
    outside = np.flatnonzero((label < low) | (label > high))
    if outside.size and not allow_out_of_range:
        raise UserError(
            f"{where}: label {label[outside[0]]:g} at step {outside[0]} is outside "
            f"{low:g}..{high:g} (--config.dataset.label_range=low,high sets another range, "
            "--config.dataset.allow_out_of_range=true lets it through)"
        )


def fingerprint(files: Iterable[Path]) -> str:
    """Returns a digest of the names, sizes and modification times of files."""
    digest = hashlib.sha256()
    for path in sorted(files):
        status = path.stat()
        digest.update(f"{path.name} {status.st_size} {status.st_mtime_ns}\n".encode())
    return digest.hexdigest()
