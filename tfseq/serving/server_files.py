"""What `tensorflow_model_server` reads beside a model's versions, as text protos.

models.config            --model_config_file: which versions are served, and as what
batching_parameters.txt  --enable_batching --batching_parameters_file
monitoring.config        --monitoring_config_file: metrics for Prometheus
"""

import json
from pathlib import Path

from tfseq import atomic_file

_OWN = "# Written anew with every version. Delete this line to keep your own changes.\n"

_MODELS = """\
model_config_list {{
  config {{
    name: {name}
    base_path: {base}
    model_platform: "tensorflow"
    # A new version replaces the one before once it is loaded. To roll back, or to serve two:
    # model_version_policy {{ specific {{ versions: 1 versions: 2 }} }}
    model_version_policy {{ latest {{ num_versions: 1 }} }}
  }}
}}
"""

_BATCHING = """\
# Requests of several clients run as one batch. A record with NaN or infinity then fails the whole
# batch: where clients are not trusted, have them call the signature `validate`, which fails none.
max_batch_size {{ value: {largest} }}
# The sizes that the warm-up requests have run; smaller batches are filled up.
{allowed}
# How long a request waits for others: less than a small batch takes to run.
batch_timeout_micros {{ value: 1000 }}
# Beyond this, clients are told UNAVAILABLE and may retry, instead of waiting ever longer.
max_enqueued_batches {{ value: 100 }}
# Each operation already uses all cores; a second batch fills the gaps between operations.
num_batch_threads {{ value: 2 }}
"""

_MONITORING = """\
# At http://<server>:<rest_api_port>/monitoring/prometheus/metrics
prometheus_config { enable: true path: "/monitoring/prometheus/metrics" }
"""


def write(base: Path, model_name: str, batch_sizes: tuple[int, ...]) -> None:
    """Writes the three files, each whole or not at all; what a person has taken over stays.

    Args:
        base: The folder of the versions.
        model_name: The name that clients call the model by.
        batch_sizes: The batch sizes to run, in increasing order.

    Raises:
        OSError: If one cannot be written.
    """
    allowed = "\n".join(f"allowed_batch_sizes: {size}" for size in batch_sizes)
    texts = {
        "models.config": _MODELS.format(
            name=_quoted(model_name), base=_quoted(str(base.absolute()))
        ),
        "batching_parameters.txt": _BATCHING.format(largest=batch_sizes[-1], allowed=allowed),
        "monitoring.config": _MONITORING,
    }
    for name, text in texts.items():
        path = base / name
        if not path.exists() or path.read_text(encoding="utf-8").startswith(_OWN):
            # Several processes may push at the same time.
            atomic_file.write(path, _OWN + text, shared=True)


def _quoted(text: str) -> str:
    return json.dumps(text, ensure_ascii=False)
