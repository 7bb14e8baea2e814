"""seqnet, the network that learns: dilated convolutions over frames of the record.

    python -m tfseq.train --model=seqnet

Results: docs/results.md. Where there are few records, `seqnet_few_records` has fewer weights,
dropout and augmentation.
"""

from ml_collections import ConfigDict

from tfseq.configs import default


def get_config() -> ConfigDict:
    """Returns the settings that were found on simulated_emg."""
    config = default.get_config()
    config.model = ConfigDict(
        {
            "name": "seqnet",
            "filters": 64,
            "blocks": 10,
            "kernel_size": 5,
            "frame_steps": 16,
            "dropout": 0.0,
            "context": True,
            "activation": "silu",
            "negative_slope": 0.01,
            "initializer": "glorot_uniform",
        }
    )
    config.optimizer.name = "adamw"
    config.optimizer.learning_rate = 2e-3
    config.optimizer.weight_decay = 1e-4
    config.optimizer.schedule = "cosine"
    config.optimizer.warmup = 0.05
    config.optimizer.clip_norm = 1.0
    config.transform.standardize = config.transform.standardize_label = True
    config.transform.views = ("waveform", "normalized", "rectified", "log_envelope", "log_gain")
    config.batch_size = 32
    config.epochs = 20
    return config
