"""The commands of a fabric as IPython magics."""
