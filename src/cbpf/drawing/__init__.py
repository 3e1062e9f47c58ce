"""Pictures of control-flow graphs."""
