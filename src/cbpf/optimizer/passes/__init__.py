"""The optimiser's passes: functions from one decision diagram to another."""
