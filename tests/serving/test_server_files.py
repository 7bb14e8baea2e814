"""What lies beside the versions is what TF Serving reads."""

import pytest
from google.protobuf import text_format

from tfseq.serving import server_files

SIZES = (1, 8, 32)


@pytest.fixture
def base(tmp_path):
    folder = tmp_path / 'a "model" of mine'
    folder.mkdir()
    server_files.write(folder, "cnn", SIZES)
    return folder


def test_tf_serving_s_own_message_reads_models_config(base):
    config = pytest.importorskip("tensorflow_serving.config.model_server_config_pb2")
    text = (base / "models.config").read_text(encoding="utf-8")
    (model,) = text_format.Parse(text, config.ModelServerConfig()).model_config_list.config
    assert (model.name, model.model_platform) == ("cnn", "tensorflow")
    assert model.base_path == str(base.absolute())
    assert model.model_version_policy.latest.num_versions == 1


def test_the_largest_allowed_batch_is_the_largest_batch(base):
    text = (base / "batching_parameters.txt").read_text(encoding="utf-8")
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    assert [line for line in lines if line.startswith("allowed")] == [
        f"allowed_batch_sizes: {size}" for size in SIZES
    ]
    assert "max_batch_size { value: 32 }" in lines


def test_what_a_person_has_taken_over_stays_and_the_rest_is_written_anew(base):
    mine = "model_config_list {}\n"
    (base / "models.config").write_text(mine)
    before = (base / "monitoring.config").read_text()
    (base / "monitoring.config").write_text(before.splitlines()[0] + "\n# older\n")
    server_files.write(base, "cnn", (1,))
    assert (base / "models.config").read_text() == mine
    assert (base / "monitoring.config").read_text() == before
    assert "max_batch_size { value: 1 }" in (base / "batching_parameters.txt").read_text()
    assert len(list(base.iterdir())) == 3
