"""The project: its settings, its addresses, and where servers find it."""
