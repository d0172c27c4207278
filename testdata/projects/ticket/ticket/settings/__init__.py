"""Settings: `base`, and what is different in development and in production."""
