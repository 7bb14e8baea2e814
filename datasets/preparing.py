"""Has a data set built where it is missing, and built again where its raw files have changed."""

import contextlib
import io
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import tensorflow_datasets as tfds
from tensorflow_datasets.core import example_serializer, shuffle

from tfseq.datasets import beam
from tfseq.datasets.record_builder import RecordBuilder, RecordConfig, fingerprint
from tfseq.errors import UserError

if TYPE_CHECKING:
    from apache_beam.options.pipeline_options import PipelineOptions

_SHUFFLE_BYTES = 32 << 20


def prepared(
    cls: type[RecordBuilder],
    config: RecordConfig,
    *,
    data_dir: str | Path | None,
    manual_dir: Path | None,
    beam_options: "PipelineOptions | None" = None,
) -> RecordBuilder:
    """Returns a builder of `cls` whose records are on disk, built with Beam if it has options.

    Raises:
        UserError: If the raw files are missing or hold something that a record may not.
    """
    builder = cls(config=_named_or_new(cls, config), data_dir=data_dir)
    source = _source(builder, config, manual_dir)
    folder = Path(builder.data_dir)
    if not builder.is_prepared():
        built = _build(builder, source, manual_dir, beam_options)
        # What a process that was killed while it built the successor has left.
        shutil.rmtree(_aside(folder), ignore_errors=True)
        return built
    if source is None or builder.info.metadata.get("source") == source:
        _require_files(builder)
        return builder
    print(f"The files in {manual_dir} are not those that {builder.info.full_name} was built from.")
    with _set_aside(folder):
        fresh = cls(config=_named_or_new(cls, config), data_dir=data_dir)
        return _build(fresh, source, manual_dir, beam_options)


def _require_files(builder: RecordBuilder) -> None:
    """Refuses a data set that lacks files: TFDS takes one for whole that has a description."""
    for split in builder.info.splits.values():
        for path in split.filepaths:
            if not path.exists():
                raise UserError(
                    f"{path} is gone; put it back, or remove {builder.data_path} to have the data "
                    "set built again"
                )


def _build(
    builder: RecordBuilder,
    source: str | None,
    manual_dir: Path | None,
    beam_options: "PipelineOptions | None",
) -> RecordBuilder:
    if source is not None:
        builder.info.metadata["source"] = source
    # TFDS would hold up to 1 GB while it shuffles; the order does not depend on it.
    shuffle.MAX_MEM_BUFFER_SIZE = _SHUFFLE_BYTES
    # TFDS would write the features of a record in an order that is another in every process.
    example_serializer.ExampleSerializer.serialize_example = _serialized
    if not sys.stderr.isatty():
        tfds.disable_progress_bar()
    print(f"Building data set {builder.info.full_name} in {builder.data_dir}", flush=True)
    builder.with_beam = beam_options is not None
    config = tfds.download.DownloadConfig(manual_dir=manual_dir, beam_options=beam_options)
    try:
        # TFDS would speak of downloads; there are none.
        with contextlib.redirect_stdout(io.StringIO()):
            builder.download_and_prepare(download_config=config)
    except Exception as error:
        refusal = beam.refusal(error) if builder.with_beam else None
        if refusal is None:
            raise
        raise refusal from error
    return builder


def _serialized(serializer: example_serializer.ExampleSerializer, example: Any) -> bytes:
    return serializer.get_tf_example(example).SerializeToString(deterministic=True)


@contextlib.contextmanager
def _set_aside(folder: Path) -> Iterator[None]:
    """Keeps a data set until its successor is written, and brings it back if that fails."""
    aside = _aside(folder)
    shutil.rmtree(aside, ignore_errors=True)
    folder.rename(aside)
    try:
        yield
    except BaseException:
        aside.rename(folder)
        raise
    shutil.rmtree(aside, ignore_errors=True)


def _aside(folder: Path) -> Path:
    return folder.with_name(f".{folder.name}.replaced")


def _named_or_new(cls: type[RecordBuilder], config: RecordConfig) -> RecordConfig | str:
    """TFDS wants a config that the builder lists to be given by its name."""
    return config.name if config.name in cls.builder_configs else config


def _source(builder: RecordBuilder, config: RecordConfig, manual_dir: Path | None) -> str | None:
    if builder.EXPECTS is None:
        return None
    if manual_dir is not None:
        return fingerprint(builder.source_files(manual_dir, config))
    if not builder.is_prepared():
        raise UserError(
            f"--manual_dir: {builder.name} is made from your files; "
            f"name the folder that holds {builder.EXPECTS}"
        )
    return None
