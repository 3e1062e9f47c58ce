"""The optimiser's passes: functions from a decision diagram and its root to the root of an equivalent one."""
