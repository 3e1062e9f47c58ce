"""Links from the examples of the documentation to the explorer page: each opens it with the program of an example.

They are added to the built site, where the examples of guides and of docstrings have one form.
"""
