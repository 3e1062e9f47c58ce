"""The optimiser's intermediate representation: numbered values and a decision diagram over them."""
