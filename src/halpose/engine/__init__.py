"""Training: one loop, schedules, complete checkpoints, run directories."""
