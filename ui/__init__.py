"""The page people play on."""
