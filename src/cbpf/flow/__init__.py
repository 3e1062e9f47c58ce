"""Control flow: blocks, the facts that hold in them, and how often they run."""
