"""The settings that all models share; docs/settings.md says what each does and may be."""

from ml_collections import ConfigDict, config_dict


def get_config() -> ConfigDict:
    """Returns the settings; a model's own file fills in `model` and `optimizer`."""

    def unset() -> config_dict.FieldReference:
        return config_dict.placeholder(object)

    return ConfigDict(
        {
            "model": {},  # `name`, and the keyword arguments of its `network` function
            "optimizer": {
                "name": "adam",
                "learning_rate": 1e-3,
                "momentum": 0.0,
                "schedule": "constant",
                "warmup": 0.0,
                "weight_decay": 0.0,
                "clip_norm": 0.0,
                "average": 0.0,
            },
            "loss": "mse",
            "epochs": 10,
            "batch_size": 128,
            "seed": 0,
            "deterministic": False,
            "dataset": {
                "name": "simulated_emg",
                "train_records": unset(),
                "validation_records": unset(),
                "test_records": unset(),
                "seed": unset(),
                "stride": unset(),
                "scaling": unset(),
                "allow_duplicates": unset(),
                "sets": unset(),
                "label_range": unset(),
                "group_by": unset(),
                "allow_nonfinite": unset(),
                "allow_out_of_range": unset(),
                "channels": unset(),
                "steps": unset(),
            },
            "data": {
                "train_split": "train",
                "validation_split": "validation",
                "cache": "auto",
                "on_corrupt": "error",
                "service": "",
            },
            "transform": {
                "standardize": False,
                "standardize_label": False,
                "views": ("waveform",),
            },
            "augmentation": {"gain": 0.0, "noise": 0.0, "drop_channel": 0.0, "shift": 0},
            "interval": {"coverage": 0.0, "epochs": 5},
            "strategy": "auto",
            "multi_worker": {"wait_seconds": 300},
            "precision": "float32",
            "serving_precision": "trained",
            "lowering": "auto",
            "early_stopping": {"patience": 0},
            "checkpoint": {"every_steps": 0},
        }
    )
