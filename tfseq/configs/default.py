"""The settings that all models share."""

from ml_collections import ConfigDict, config_dict


def get_config() -> ConfigDict:
    """Returns the settings; a model's own file fills in `model` and `optimizer`."""

    def unset() -> config_dict.FieldReference:
        return config_dict.placeholder(object)

    return ConfigDict(
        {
            # The network: `name`, and the keyword arguments of its `network` function.
            "model": {},
            # One of sgd, rmsprop, adam, adamw, with PyTorch's constants.
            "optimizer": {
                "name": "adam",
                "learning_rate": 1e-3,
                "momentum": 0.0,
                # constant, or cosine: down to 0 over all epochs, after rising for a part of them.
                "schedule": "constant",
                "warmup": 0.0,
                # 0 is none, for adamw its own 0.01.
                "weight_decay": 0.0,
                # Gradients longer than this are shortened to it; 0 never.
                "clip_norm": 0.0,
                # Of the weights, a running average that keeps so much a step is measured and
                # exported; 0 takes the weights themselves.
                "average": 0.0,
            },
            # One of mse, mae, huber. The report does not name its loss: see docs/models.md.
            "loss": "mse",
            "epochs": 10,
            "batch_size": 128,
            "seed": 0,
            # TensorFlow's deterministic operations: the same bits on a GPU too, more slowly.
            "deterministic": False,
            # The data set: `name`, and its own settings; empty keeps the data set's default.
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
                "allow_nonfinite": unset(),
                "allow_out_of_range": unset(),
                "channels": unset(),
                "steps": unset(),
            },
            # Splits may be parts, such as train[:10%]. cache keeps the records in memory: always,
            # never, or auto, where they take less than a quarter of what is free. on_corrupt:
            # damaged records are an error, or skip leaves them out.
            # service is the grpc://host:port of a tf.data service that makes the training batches.
            "data": {
                "train_split": "train",
                "validation_split": "validation",
                "cache": "auto",
                "on_corrupt": "error",
                "service": "",
            },
            # Inside the model: give every channel mean 0 and variance 1; show the network some of
            # waveform, normalized, rectified, log_envelope, log_gain (tfseq.transform).
            "transform": {"standardize": False, "views": ("waveform",)},
            # Training records only, see tfseq.augmentation; 0 does nothing.
            "augmentation": {"gain": 0.0, "noise": 0.0, "drop_channel": 0.0, "shift": 0},
            # Intervals around the labels, see tfseq.intervals: the part of the labels that they are
            # to hold, such as 0.8 (0: no intervals), and the epochs to learn their widths in.
            "interval": {"coverage": 0.0, "epochs": 5},
            # auto: mirrored on several GPUs, else one_device. multi_worker: see docs/scaling.md.
            "strategy": "auto",
            # How long each worker waits for the others to start.
            "multi_worker": {"wait_seconds": 300},
            # float32, mixed_bfloat16 or mixed_float16.
            "precision": "float32",
            # XLA and the layouts of tfseq.models.lowering: always, never, or auto, where they pay.
            # portable: always, but without the kernels of tfseq.native, which need a C++ compiler.
            "lowering": "auto",
            # Stop when the validation loss has not fallen for so many epochs; 0 never stops.
            "early_stopping": {"patience": 0},
            # Besides every epoch, save every so many steps; 0 does not.
            "checkpoint": {"every_steps": 0},
        }
    )
