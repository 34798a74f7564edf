"""Rounds: fine-tune on clean plus fooling digits, decide, promote."""
