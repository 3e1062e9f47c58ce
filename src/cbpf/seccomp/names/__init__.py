"""Names and numbers: of architectures, calls, arguments, constants and actions."""
