"""Policy files: read, written, and in their canonical form."""
