"""Attempts, the ledger they are kept in, the Gradio callback that flags them, the dataset made from them."""
