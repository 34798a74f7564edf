"""The digit classifier: network, strokes to pixels, clean digits, weights files, the served model."""
