"""What the model can do, with the conditions and the uncertainty of every figure."""
