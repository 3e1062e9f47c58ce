"""The audit of filters: rules over their exact functions, one module for each family, and the catalog of calls."""
