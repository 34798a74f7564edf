"""Play with the app while it is broken in every way we know of, and check after each that nothing is lost."""
