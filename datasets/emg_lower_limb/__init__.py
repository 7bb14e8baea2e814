"""The data set emg_lower_limb."""
