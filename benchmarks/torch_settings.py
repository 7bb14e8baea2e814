"""PyTorch's settings that may help, by contender; those with narrow weights are of inference."""

TORCH = {
    "PyTorch": {},
    "PyTorch channels_last": {"channels_last": True},
    "PyTorch compiled": {"compiled": True},
    "PyTorch compiled channels_last": {"compiled": True, "channels_last": True},
    "PyTorch bfloat16": {"bfloat16": True},
    "PyTorch compiled bfloat16": {"compiled": True, "bfloat16": True},
    "PyTorch bfloat16 weights": {"bfloat16_weights": True},
    "PyTorch compiled bfloat16 weights": {"compiled": True, "bfloat16_weights": True},
}
