"""Programs as text and bytes: assembly, listings, numbers and savefiles."""
