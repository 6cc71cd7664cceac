"""The oracle workshop: calibration and fine-tuning of oracles."""
