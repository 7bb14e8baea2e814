"""How every command line of tfseq starts, explains itself and ends.

TensorFlow is not imported here, so that `--help` answers at once.
"""

import contextlib
import errno
import logging
import os
import re
import select
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from absl import flags
from absl import logging as absl_logging
from ml_collections import ConfigDict, config_flags
from ml_collections.config_flags import tuple_parser

from tfseq import allocator
from tfseq.configs.flat import flat, nearest
from tfseq.errors import UserError
from tfseq.quick_import import quick_import

FLAGS = flags.FLAGS

_NOISE = (
    "`FeatureConnector.dtype` is deprecated",  # TFDS 4.9 warns about its own code
    "Using custom data configuration",  # settings other than the default are no reason to worry
    "apitools not found",  # Beam, of Google Cloud
    "has no dataset_info.json",  # TFDS looks for a data set before it builds it
)

_USERS_ERRORS = (
    errno.ENOSPC,
    errno.EDQUOT,
    errno.EFBIG,
    errno.EACCES,
    errno.EROFS,
    errno.ENOTDIR,
    errno.EISDIR,
    errno.EEXIST,
    errno.ENAMETOOLONG,
    errno.ELOOP,
    errno.ESTALE,
)
# What TensorFlow writes of a file, whatever the error that it comes in.
_REASONS = "|".join(os.strerror(number) for number in (*_USERS_ERRORS, errno.ENOENT))
_TENSORFLOWS = re.compile(
    rf"(?:^|: |\}}\}} )(?P<file>[^:{{}};\n]+); (?P<reason>{_REASONS})", re.MULTILINE
)


def run(main: Callable[[], None], define_flags: Callable[[], None], description: str) -> None:
    """Parses the flags, runs a command and ends the process.

    A user's mistake ends in one line and exit code 1; a bug keeps its traceback.

    Args:
        main: The command.
        define_flags: Defines its flags.
        description: What `--help` prints above them.
    """
    _plain_warnings()
    try:
        _require_text()
        define_flags()
        if {"--help", "-help", "-h"} & set(sys.argv[1:]):
            print(_help(description))
        else:
            rest = FLAGS(sys.argv)[1:]
            if rest:
                raise UserError(f"unexpected argument {rest[0]!r}; flags are written --name=value")
            main()
        sys.stdout.flush()
    except KeyboardInterrupt:
        _fail("interrupted", 130)
    except (UserError, flags.Error) as error:
        _fail(str(error))
    except OSError as error:
        if isinstance(error, BrokenPipeError) and _nobody_reads():
            raise SystemExit(1) from None
        if error.errno not in _USERS_ERRORS:
            raise
        _fail(f"{error.filename or 'writing'}: {error.strerror}")
    except Exception as error:
        message = _told_by_tensorflow(error)
        if message is None:
            raise
        _fail(message)


def _nobody_reads() -> bool:
    """Whether nobody reads what is printed any more, as after `| head`; no more is printed then."""
    output = select.poll()
    output.register(sys.stdout.fileno(), 0)
    if not any(event & select.POLLERR for _, event in output.poll(0)):
        return False
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return True


def _told_by_tensorflow(error: Exception) -> str | None:
    """Returns what a user can do something about, in one line; None if the error is a bug's."""
    found = _TENSORFLOWS.search(str(error))
    if found:
        return f"{found['file']}: {found['reason']}"
    # The latter is TensorFlow's, which is not imported here.
    if isinstance(error, MemoryError) or type(error).__name__ == "ResourceExhaustedError":
        return "out of memory; expected a smaller model, batch or record, or more memory"
    return None


def define_data_flags() -> None:
    """Defines the flags that say which records a command reads."""
    flags.DEFINE_string(
        "dataset",
        None,
        "Data set: simulated_emg (needs no files), emg_lower_limb or record_sets (your own).",
    )
    flags.DEFINE_string(
        "manual_dir", None, "Folder of the raw files of emg_lower_limb, record_sets."
    )
    flags.DEFINE_string("data_dir", None, "Where built data sets are kept [~/tensorflow_datasets].")


def require(*names: str) -> None:
    """Refuses a command line that lacks one of the flags.

    Raises:
        UserError: If one is not given.
    """
    for name in names:
        if FLAGS[name].value is None:
            raise UserError(f"--{name} is missing; see --help")


def define_settings(config: ConfigDict) -> None:
    """Defines the flags `--config.*`, whose defaults are some settings.

    Raises:
        UserError: If the command line has one that is no setting.
    """
    known = list(flat(config, "--config."))
    for argument in sys.argv[1:]:
        flag = "--" + argument.partition("=")[0].lstrip("-")
        if flag.startswith("--config.") and flag not in known:
            hint = nearest(flag, known)
            raise UserError(f"{flag}: there is no such setting{hint}; --help lists them")
    config_flags.register_flag_parser_for_type(tuple, _TupleParser())
    config_flags.DEFINE_config_dict("config", config)


class _TupleParser(tuple_parser.TupleParser):
    """Takes a,b for two names, as its base takes 1,2 for two numbers."""

    def parse(self, argument: object) -> tuple:
        """Returns the values of a setting."""
        found = []
        for each in super().parse(argument):
            found += map(str.strip, each.split(",")) if isinstance(each, str) else [each]
        return tuple(found)


def require_writable(flag: str, folder: Path) -> None:
    """Refuses a folder that cannot be made or written, before work is spent on what goes there.

    Raises:
        UserError: If it is a file, lies in one, or is not writable.
    """
    existing = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    if not existing.is_dir() or not os.access(existing, os.W_OK | os.X_OK):
        raise UserError(f"{flag}: cannot write to {folder}: {existing} is no writable folder")


def import_tensorflow() -> None:
    """Imports TensorFlow without its start-up messages, unless TF_CPP_MIN_LOG_LEVEL is set.

    What it frees stays with the process, see `tfseq.allocator`; what no command uses of the
    packages around it is not imported, see `tfseq.quick_import`.
    """
    if os.environ.get("KERAS_BACKEND", "tensorflow") != "tensorflow":
        raise UserError(
            f"KERAS_BACKEND is {os.environ['KERAS_BACKEND']}: this command needs tensorflow"
        )
    allocator.keep_freed_memory()
    quiet = "TF_CPP_MIN_LOG_LEVEL" not in os.environ
    if quiet:
        os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    # Some messages come before TensorFlow reads the level.
    with stderr_held_back() if quiet else contextlib.nullcontext(), quick_import():
        import tensorflow  # noqa: F401
    if quiet:
        # Or a process that this one starts would take the level for the user's.
        del os.environ["TF_CPP_MIN_LOG_LEVEL"]


@contextlib.contextmanager
def stderr_held_back() -> Iterator[None]:
    """Drops what C++ code writes to stderr, unless the block fails: then it is printed."""
    sys.stderr.flush()
    kept = os.dup(2)
    with tempfile.TemporaryFile() as messages:
        os.dup2(messages.fileno(), 2)
        try:
            yield
        except BaseException:
            messages.seek(0)
            os.write(kept, messages.read())
            raise
        finally:
            os.dup2(kept, 2)
            os.close(kept)


def _require_text() -> None:
    """Refuses names of files that are not UTF-8, which TensorFlow cannot open."""
    for argument in sys.argv[1:]:
        try:
            argument.encode()
        except UnicodeEncodeError as error:
            raise UserError(f"{argument!a}: expected text in UTF-8") from error


def _plain_warnings() -> None:
    """Has warnings printed as `warning: ...`, without those that no user can do anything about."""
    absl_logging.use_absl_handler()
    handler = absl_logging.get_absl_handler()
    handler.setFormatter(logging.Formatter("warning: %(message)s"))
    handler.addFilter(lambda record: not any(text in record.getMessage() for text in _NOISE))


def _help(description: str) -> str:
    lines = [description.strip(), "", "Flags:"]
    for module, defined in sorted(FLAGS.flags_by_module_dict().items()):
        if module.startswith(("absl", "ml_collections")):
            continue
        for flag in defined:
            if "." not in flag.name and flag.name != "config":
                lines.append(f"  --{flag.name}: {flag.help}")
    if "config" in FLAGS:
        lines += ["", "Settings, with their defaults:"]
        for name, value in flat(FLAGS["config"].default, "--config.").items():
            lines.append(f"  {name}={'' if value is None else value}")
    return "\n".join(lines)


def _fail(message: str, code: int = 1) -> None:
    sys.stdout.flush()
    # What stands in a file may be in a message; a terminal obeys what is not printable.
    line = " ".join(message.split())
    shown = "".join(each if each.isprintable() else ascii(each)[1:-1] for each in line)
    print(f"error: {shown}", file=sys.stderr)
    raise SystemExit(code)
