"""The accelerator: instruction set, program file, verifier, simulator, trace."""
