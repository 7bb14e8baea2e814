"""The data set simulated_emg."""
