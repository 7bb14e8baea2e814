"""PyTorch's settings that may help, by contender."""

TORCH = {
    "PyTorch": {},
    "PyTorch channels_last": {"channels_last": True},
    "PyTorch compiled": {"compiled": True},
    "PyTorch compiled channels_last": {"compiled": True, "channels_last": True},
    "PyTorch bfloat16": {"bfloat16": True},
    "PyTorch compiled bfloat16": {"compiled": True, "bfloat16": True},
}
