"""What is wrong between the gateway and one source, step by step, in plain words."""
